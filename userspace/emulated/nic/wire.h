// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_EMULATED_NIC_WIRE_H
#define VIREO_EMULATED_NIC_WIRE_H

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>

#include "base/event_loop.h"
#include "base/fd.h"
#include "net/counters.h"
#include "net/endpoint.h"
#include "net/features.h"

namespace vireo {

// Between an emulated card and the host's end of its cable. The card sends whole frames, on
// whichever thread its driver asks on, never waiting: when the endpoint is full the frame stays
// with the card, whose turn() is called once there is room. Frames for the card are read on the
// loop's thread while it has a place for them.
//
// The mutex is the card's own. It is held in every call to the card, and by whoever calls here, but
// for what is marked as the control side's, which takes it.
class NicWire {
public:
    static constexpr unsigned kSmallestFrame = 60; // without its checksum (IEEE 802.3)
    static constexpr unsigned kLargestFrame = 65535 + 18;

    enum class Readiness {
        kOff,   // frames go by
        kReady, // give me one
        kFull,  // they have to wait until the driver has done something
    };

    // Who has the wire. All on the loop's thread.
    class Card {
    public:
        virtual Readiness readiness() const = 0;
        // A frame without its checksum, at least kSmallestFrame; `checked`: the host vouches for
        // its checksums. False: it was not for this card.
        virtual bool receive(std::span<const uint8_t> frame, bool checked) = 0;
        // Some frames were received: the last moment for what is to be done once for them all.
        virtual void settle() = 0;
        // There is room again, or a turn was asked for.
        virtual void turn() = 0;
        // The interface was deleted.
        virtual void wire_gone() = 0;

    protected:
        ~Card() = default;
    };

    // The cable is in, and nobody listens until resume().
    NicWire(Card& card, std::mutex& mutex, EventLoop& loop, const NetEndpoint& endpoint);
    ~NicWire(); // paused

    NicWire(const NicWire&) = delete;
    NicWire& operator=(const NicWire&) = delete;

    // Control side; the mutex is not held. When pause() returns, nothing is called any more.
    void pause();
    void resume();
    bool paused() const { return paused_; }

    // Out, frames are lost both ways.
    void plug(bool in) { plugged_ = in; }

    // False: the endpoint is full; come again with the same frame at the next turn(). `offload`
    // says what is left to be done to it, in virtio's words (virtio 1.2, 5.1.6.2), which the
    // endpoint does, or else this.
    bool send(std::span<const uint8_t> frame, const virtio_net_hdr& offload = {}) noexcept;
    bool full() const { return full_; }
    // A frame that waited is not coming again.
    void forget() noexcept { sent_segments_ = 0; }

    // Look again at readiness(), if it was kFull: the driver has done something. Some drivers give
    // buffers without a word, so the wire looks again by itself, too.
    void receive_again() noexcept {
        if (starved_ && (!plugged_ || card_.readiness() != Readiness::kFull)) {
            starved_ = false;
            update_soon();
        }
    }
    // Let turn() be called, soon.
    void ask_turn() noexcept {
        turn_wanted_ = true;
        update_soon();
    }

    const NetCounters& received() const { return received_; }
    const NetCounters& sent() const { return sent_; }

private:
    void update_soon() noexcept;
    void update();
    void watch() noexcept;
    void ready(uint32_t events);
    void read_frames();
    bool write_frame(std::span<const uint8_t> frame, const virtio_net_hdr& header) noexcept;
    bool send_segments(std::span<const uint8_t> frame, const virtio_net_hdr& offload) noexcept;
    void leave() noexcept;
    void starve() noexcept;

    Card& card_;
    std::mutex& mutex_;
    EventLoop& loop_;
    const NetEndpoint& endpoint_;
    const int fd_;
    const bool header_;

    // With the mutex.
    bool paused_ = true;
    bool plugged_ = true;
    bool full_ = false;
    bool starved_ = false;
    bool turn_wanted_ = false;
    bool update_posted_ = false;
    unsigned sent_segments_ = 0; // of the frame that waits
    NetCounters received_, sent_;
    Fd retry_;                           // a timer, while it starves
    std::unique_ptr<uint8_t[]> segment_; // for what the endpoint does not do

    // On the loop's thread.
    bool watching_ = false;
    uint32_t watched_ = 0; // EPOLL bits
    std::unique_ptr<uint8_t[]> frame_;
};

} // namespace vireo

#endif // VIREO_EMULATED_NIC_WIRE_H
