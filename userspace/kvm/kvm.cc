// SPDX-License-Identifier: GPL-2.0-only
#include "kvm/kvm.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <memory>

#include "base/error.h"

namespace vireo {

namespace {

// kvm_cpuid2 and kvm_msr_list end in an array of entries: memory for `n` of them.
template <class Header, class Entry>
std::unique_ptr<Header, void (*)(void*)> with_entries(size_t n) {
    void* memory = calloc(1, sizeof(Header) + n * sizeof(Entry));
    if (!memory) {
        throw std::bad_alloc();
    }
    return {static_cast<Header*>(memory), free};
}

constexpr struct {
    unsigned number;
    const char* what;
} kNeeded[] = {
    {KVM_CAP_IRQCHIP, "interrupt controllers"},
    {KVM_CAP_USER_MEMORY, "memory of processes"},
    {KVM_CAP_EXT_CPUID, "CPUID"},
    {KVM_CAP_IRQ_ROUTING, "interrupt routing"},
    {KVM_CAP_IRQFD, "irqfd"},
    {KVM_CAP_IOEVENTFD, "ioeventfd"},
    {KVM_CAP_SIGNAL_MSI, "MSI"},
    {KVM_CAP_IMMEDIATE_EXIT, "immediate exit"},
};

} // namespace

Kvm::Kvm(const std::string& path) : fd_(open(path.c_str(), O_RDWR | O_CLOEXEC)) {
    if (!fd_) {
        const char* hint = "";
        if (errno == ENOENT) {
            hint =
                " (load the module: modprobe kvm_intel or kvm_amd; is virtualization on in the "
                "firmware?)";
        } else if (errno == EACCES) {
            hint = " (be in the group kvm)";
        }
        throw_errno("open {}{}", path, hint);
    }
    const int version = ioctl(fd_.get(), KVM_GET_API_VERSION, 0);
    if (version != KVM_API_VERSION) {
        throw_usage("{} speaks version {} of KVM's interface, where {} is needed", path, version,
                    KVM_API_VERSION);
    }
    for (const auto& needed : kNeeded) {
        if (capability(needed.number) <= 0) {
            throw_usage("{} lacks {} (capability {}): a newer kernel has it", path, needed.what,
                        needed.number);
        }
    }
}

int Kvm::capability(unsigned number) const {
    return ioctl(fd_.get(), KVM_CHECK_EXTENSION, number);
}

std::vector<kvm_cpuid_entry2> Kvm::supported_cpuid() const {
    for (unsigned n = 128;; n *= 2) {
        const auto list = with_entries<kvm_cpuid2, kvm_cpuid_entry2>(n);
        list->nent = n;
        if (ioctl(fd_.get(), KVM_GET_SUPPORTED_CPUID, list.get()) == 0) {
            return {list->entries, list->entries + list->nent};
        }
        if (errno != E2BIG || n > 4096) {
            throw_errno("ask KVM for the CPUID that it supports");
        }
    }
}

std::vector<uint32_t> Kvm::msrs() const {
    kvm_msr_list count = {};
    if (ioctl(fd_.get(), KVM_GET_MSR_INDEX_LIST, &count) < 0 && errno != E2BIG) {
        throw_errno("ask KVM how many model-specific registers it has");
    }
    const auto list = with_entries<kvm_msr_list, uint32_t>(count.nmsrs);
    list->nmsrs = count.nmsrs;
    if (ioctl(fd_.get(), KVM_GET_MSR_INDEX_LIST, list.get()) < 0) {
        throw_errno("ask KVM for its model-specific registers");
    }
    return {list->indices, list->indices + list->nmsrs};
}

size_t Kvm::run_size() const {
    const int size = ioctl(fd_.get(), KVM_GET_VCPU_MMAP_SIZE, 0);
    if (size < 0) {
        throw_errno("ask KVM for the size of a vCPU's area");
    }
    return static_cast<size_t>(size);
}

Fd Kvm::create_vm() const {
    // A signal that comes while KVM registers with memory management interrupts it.
    for (;;) {
        Fd vm(ioctl(fd_.get(), KVM_CREATE_VM, 0));
        if (vm) {
            return vm;
        }
        if (errno != EINTR) {
            throw_errno("create a virtual machine");
        }
    }
}

} // namespace vireo
