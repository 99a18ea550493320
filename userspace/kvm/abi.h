// SPDX-License-Identifier: GPL-2.0-only
// <linux/kvm.h> for C++. Its arrays without a length follow an empty structure in some versions of
// the headers; that takes a byte in C++, and with it sizes, offsets and the numbers of ioctls
// would be others than the kernel's.
#ifndef VIREO_KVM_ABI_H
#define VIREO_KVM_ABI_H

#include <linux/stddef.h>
#ifdef __DECLARE_FLEX_ARRAY
#undef __DECLARE_FLEX_ARRAY
#define __DECLARE_FLEX_ARRAY(type, name) type name[0]
#endif
#include <linux/kvm.h>

#include <cstddef>

static_assert(sizeof(kvm_cpuid2) == 8 && offsetof(kvm_cpuid2, entries) == 8);
static_assert(sizeof(kvm_msrs) == 8 && offsetof(kvm_msrs, entries) == 8);
static_assert(sizeof(kvm_msr_list) == 4 && offsetof(kvm_msr_list, indices) == 4);
static_assert(sizeof(kvm_irq_routing) == 8 && offsetof(kvm_irq_routing, entries) == 8);
static_assert(sizeof(kvm_xsave) == 4096);

#endif // VIREO_KVM_ABI_H
