// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_KVM_VCPU_H
#define VIREO_KVM_VCPU_H

#include <sys/types.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "bus/bus.h"
#include "kvm/abi.h"
#include "kvm/cpu_state.h"
#include "kvm/kvm.h"
#include "kvm/vm.h"

namespace vireo {

// What vCPUs tell their machine. On the vCPU's thread, which rests until the next pause() and
// resume() afterwards.
class VcpuOwner {
public:
    virtual ~VcpuOwner() = default;

    // The guest has shut the CPU down (triple fault): a PC resets then.
    virtual void vcpu_shut_down(unsigned index) = 0;
    // KVM cannot go on: `why` says what is known, registers and all.
    virtual void vcpu_failed(unsigned index, const std::string& why) = 0;
};

// A virtual CPU and the thread that runs it. What its guest does to ports and memory goes to the
// buses from there. Everything else is called by the machine's control thread. It is born paused.
class Vcpu {
public:
    Vcpu(const Kvm& kvm, const Vm& vm, unsigned index, const std::vector<kvm_cpuid_entry2>& cpuid,
         Bus& ports, Bus& memory, VcpuOwner& owner);
    ~Vcpu();

    Vcpu(const Vcpu&) = delete;
    Vcpu& operator=(const Vcpu&) = delete;

    unsigned index() const { return index_; }
    pid_t thread_id() const { return thread_id_; }
    uint64_t exits() const { return exits_.load(std::memory_order_relaxed); }

    // Stop at an instruction's boundary: ask all, then wait for each. Nothing is lost when it goes
    // on. The waiter holds no lock that a device takes.
    void request_pause();
    void wait_paused();
    void resume();

    // The rest while it is paused.

    // As after power-on. The first one runs, the others wait to be started by it.
    void reset();
    void set_entry(const kvm_regs& registers, const kvm_sregs& special);
    kvm_sregs special_registers() const;
    CpuState save() const;
    void load(const CpuState& state);

private:
    enum class Wish { kPause, kRun, kEnd };

    void thread_main();
    bool await_wish();  // false: end
    void run();         // until another wish
    bool handle_exit(); // false: rest
    void handle_port();
    void handle_memory();
    std::string describe() const;
    void interrupt(); // mutex held

    const unsigned index_;
    Bus& ports_;
    Bus& memory_;
    VcpuOwner& owner_;
    const std::vector<uint32_t> msrs_;
    Fd fd_;
    size_t run_size_;
    kvm_run* run_;
    CpuState initial_;
    std::atomic<uint64_t> exits_ = 0;

    std::mutex mutex_; // of what follows
    std::condition_variable changed_;
    Wish wish_ = Wish::kPause;
    bool paused_ = false;
    pid_t thread_id_ = 0;
    std::thread thread_;
};

} // namespace vireo

#endif // VIREO_KVM_VCPU_H
