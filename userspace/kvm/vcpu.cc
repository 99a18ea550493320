// SPDX-License-Identifier: GPL-2.0-only
#include "kvm/vcpu.h"

#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>

#include "base/counter.h"
#include "base/error.h"
#include "base/log.h"
#include "kvm/cpuid.h"

namespace vireo {

namespace {

// Brings a thread out of KVM_RUN. Its handler does nothing: that the call was interrupted is all.
int kick_signal() {
    static const int signal = [] {
        struct sigaction action = {};
        action.sa_handler = [](int) {};
        sigaction(SIGRTMIN, &action, nullptr);
        return SIGRTMIN;
    }();
    return signal;
}

constexpr uint32_t kTsc = 0x10;          // IA32_TIME_STAMP_COUNTER
constexpr uint32_t kMtrrDefault = 0x2ff; // IA32_MTRR_DEF_TYPE (SDM 3, 11.11.2.1)
constexpr uint64_t kMtrrWriteBackOn = 1u << 11 | 6;

// Its clock goes on over a reset, since those of all CPUs must agree.
std::vector<uint32_t> msrs_of(const Kvm& kvm) {
    std::vector<uint32_t> msrs = kvm.msrs();
    std::erase(msrs, kTsc);
    if (std::ranges::find(msrs, kMtrrDefault) == msrs.end()) {
        msrs.push_back(kMtrrDefault); // KVM has it, and does not list it
    }
    return msrs;
}

} // namespace

Vcpu::Vcpu(const Kvm& kvm, const Vm& vm, unsigned index, const std::vector<kvm_cpuid_entry2>& cpuid,
           Bus& ports, Bus& memory, VcpuOwner& owner)
    : index_(index),
      ports_(ports),
      memory_(memory),
      owner_(owner),
      msrs_(msrs_of(kvm)),
      fd_(vm.create_vcpu(index)),
      run_size_(kvm.run_size()) {
    set_cpuid(fd_.get(), cpuid_for(cpuid, index));
    initial_ = save_cpu(fd_.get(), msrs_);
    // Firmware says that memory is cached where nothing else is said; there is none here, and Linux
    // takes it that caches are off otherwise.
    for (kvm_msr_entry& msr : initial_.msrs) {
        if (msr.index == kMtrrDefault) {
            msr.data = kMtrrWriteBackOn;
        }
    }
    void* area = mmap(nullptr, run_size_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
    if (area == MAP_FAILED) {
        throw_errno("map the area shared with vCPU {}", index);
    }
    run_ = static_cast<kvm_run*>(area);
    kick_signal();
    thread_ = std::thread([this] { thread_main(); });
    pthread_setname_np(thread_.native_handle(), fmt::format("vcpu {}", index).c_str());
    wait_paused();
}

Vcpu::~Vcpu() {
    {
        const std::lock_guard lock(mutex_);
        wish_ = Wish::kEnd;
        interrupt();
    }
    thread_.join();
    munmap(run_, run_size_);
}

void Vcpu::interrupt() {
    // The signal interrupts KVM_RUN; the flag, a KVM_RUN that is about to begin.
    __atomic_store_n(&run_->immediate_exit, 1, __ATOMIC_RELAXED);
    changed_.notify_all();
    if (thread_.joinable()) {
        pthread_kill(thread_.native_handle(), kick_signal());
    }
}

void Vcpu::request_pause() {
    const std::lock_guard lock(mutex_);
    if (wish_ == Wish::kRun) {
        wish_ = Wish::kPause;
        interrupt();
    }
}

void Vcpu::wait_paused() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return paused_; });
}

void Vcpu::resume() {
    const std::lock_guard lock(mutex_);
    wish_ = Wish::kRun;
    paused_ = false;
    changed_.notify_all();
}

void Vcpu::reset() {
    load_cpu(fd_.get(), initial_);
}

kvm_sregs Vcpu::special_registers() const {
    kvm_sregs special = {};
    if (ioctl(fd_.get(), KVM_GET_SREGS, &special) < 0) {
        throw_errno("read the special registers of vCPU {}", index_);
    }
    return special;
}

void Vcpu::set_entry(const kvm_regs& registers, const kvm_sregs& special) {
    if (ioctl(fd_.get(), KVM_SET_SREGS, &special) < 0 ||
        ioctl(fd_.get(), KVM_SET_REGS, &registers) < 0) {
        throw_errno("set the registers of vCPU {}", index_);
    }
}

CpuState Vcpu::save() const {
    return save_cpu(fd_.get(), msrs_);
}

void Vcpu::load(const CpuState& state) {
    load_cpu(fd_.get(), state);
}

// --- its thread ---

void Vcpu::thread_main() {
    {
        const std::lock_guard lock(mutex_);
        thread_id_ = gettid();
    }
    while (await_wish()) {
        run();
    }
}

bool Vcpu::await_wish() {
    std::unique_lock lock(mutex_);
    if (wish_ == Wish::kPause) {
        paused_ = true;
        changed_.notify_all();
        changed_.wait(lock, [this] { return wish_ != Wish::kPause; });
    }
    if (wish_ == Wish::kEnd) {
        return false;
    }
    __atomic_store_n(&run_->immediate_exit, 0, __ATOMIC_RELAXED);
    return true;
}

void Vcpu::run() {
    for (;;) {
        if (ioctl(fd_.get(), KVM_RUN, 0) < 0) {
            // A wish is looked at here alone: by then KVM has taken what the last access gave.
            // EAGAIN: one that waits to be started was woken.
            if (errno == EINTR) {
                return;
            }
            if (errno != EAGAIN) {
                owner_.vcpu_failed(index_, fmt::format("KVM_RUN: {}", strerror(errno)));
                break;
            }
            continue;
        }
        count(exits_);
        if (!handle_exit()) {
            break;
        }
    }
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return wish_ != Wish::kRun; });
}

bool Vcpu::handle_exit() {
    switch (run_->exit_reason) {
        case KVM_EXIT_IO:
            handle_port();
            return true;
        case KVM_EXIT_MMIO:
            handle_memory();
            return true;
        case KVM_EXIT_INTR:
            return true;
        case KVM_EXIT_SHUTDOWN:
            owner_.vcpu_shut_down(index_);
            return false;
        default:
            owner_.vcpu_failed(index_, describe());
            return false;
    }
}

void Vcpu::handle_port() {
    uint8_t* data = reinterpret_cast<uint8_t*>(run_) + run_->io.data_offset;
    const uint16_t port = run_->io.port;
    const unsigned size = run_->io.size;
    const bool out = run_->io.direction == KVM_EXIT_IO_OUT;
    // `ins` and `outs` come as several accesses at once.
    if (run_->io.count != 1) {
        const std::span<uint8_t> string(data, size_t{run_->io.count} * size);
        out ? ports_.write_string(port, size, string) : ports_.read_string(port, size, string);
        return;
    }
    uint64_t value = 0;
    if (out) {
        memcpy(&value, data, size);
        ports_.write(port, size, value);
    } else {
        value = ports_.read(port, size);
        memcpy(data, &value, size);
    }
}

void Vcpu::handle_memory() {
    const uint64_t address = run_->mmio.phys_addr;
    const unsigned size = run_->mmio.len;
    uint64_t value = 0;
    if (run_->mmio.is_write) {
        memcpy(&value, run_->mmio.data, size);
        memory_.write(address, size, value);
    } else {
        value = memory_.read(address, size);
        memcpy(run_->mmio.data, &value, size);
    }
}

std::string Vcpu::describe() const {
    std::string text;
    switch (run_->exit_reason) {
        case KVM_EXIT_FAIL_ENTRY:
            text = fmt::format("the CPU refused to enter the guest (hardware reason {:#x})",
                               run_->fail_entry.hardware_entry_failure_reason);
            break;
        case KVM_EXIT_INTERNAL_ERROR:
            text = fmt::format("KVM cannot go on (internal error {}{})", run_->internal.suberror,
                               run_->internal.suberror == KVM_INTERNAL_ERROR_EMULATION
                                   ? ": an instruction that it cannot emulate"
                                   : "");
            break;
        default:
            text =
                fmt::format("KVM left the guest for a reason unknown here ({})", run_->exit_reason);
    }
    kvm_regs r = {};
    kvm_sregs s = {};
    if (ioctl(fd_.get(), KVM_GET_REGS, &r) == 0 && ioctl(fd_.get(), KVM_GET_SREGS, &s) == 0) {
        text += fmt::format(
            "\n  rip {:016x} rflags {:08x} cs {:04x} (base {:x}) cr0 {:08x} cr3 {:x} cr4 {:08x}"
            " efer {:x}\n"
            "  rax {:016x} rbx {:016x} rcx {:016x} rdx {:016x}\n"
            "  rsi {:016x} rdi {:016x} rbp {:016x} rsp {:016x}\n"
            "  r8  {:016x} r9  {:016x} r10 {:016x} r11 {:016x}\n"
            "  r12 {:016x} r13 {:016x} r14 {:016x} r15 {:016x}",
            r.rip, r.rflags, s.cs.selector, s.cs.base, s.cr0, s.cr3, s.cr4, s.efer, r.rax, r.rbx,
            r.rcx, r.rdx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14,
            r.r15);
    }
    return text;
}

} // namespace vireo
