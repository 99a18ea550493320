// SPDX-License-Identifier: GPL-2.0-only
// The Realtek RTL8139C+ as its driver sees it (RTL8139C(L)+ data sheet, 6): 256 bytes of ports or
// memory.
//
//   00  IDR[6]     station address           08  MAR[8]     64 bits: multicast hash
//   10  TSD[4]     C: status of transmits    20  TSAD[4]    C: their addresses
//   10  DTCCR      C+: where counters go     20  TNPDS      C+: ring of transmits; 28 a second one
//   30  RBSTART    C: receive ring           37  CR         reset, receiver, transmitter
//   38  CAPR       C: read up to, less 16    3a  CBR        C: written up to
//   3c  IMR        3e  ISR: causes; a 1 written clears
//   40  TCR        transmitter, version      44  RCR        receiver: filters, length of the ring
//   48  TCTR       a timer   54  TimerInt    4c  MPC        frames that were missed
//   50  9346CR     EEPROM's pins; lock       51  CONFIG0, 1 (52), 3 (59), 4 (5a), 5 (d8)
//   58  MSR        link                      60  TSAD       C: TSDs in short
//   62  BMCR, BMSR, ANAR, ANLPAR, ANER: the transceiver        74  CSCR
//   d9  TPPoll     C+: look at the ring      e0  CPCR       C+: modes
//   e4  RDSAR      C+: ring of receive buffers                 ec  MTPS
//
// In C mode four transmit buffers have registers, and frames are received into one ring of bytes:
// status[2] length[2] frame, to a multiple of 4. In C+ mode both have rings of descriptors,
// 64 at most: command[4] VLAN[4] address[8].
#ifndef VIREO_EMULATED_NIC_RTL8139_REGISTERS_H
#define VIREO_EMULATED_NIC_RTL8139_REGISTERS_H

#include <cstdint>

namespace vireo::rtl8139 {

enum Register : uint32_t {
    kIdr = 0x00,
    kMar = 0x08,
    kTsd = 0x10,
    kDtccr = 0x10,
    kTsad = 0x20,
    kTnpds = 0x20,
    kRbstart = 0x30,
    kCr = 0x37,
    kCapr = 0x38,
    kCbr = 0x3a,
    kImr = 0x3c,
    kIsr = 0x3e,
    kTcr = 0x40,
    kRcr = 0x44,
    kTctr = 0x48,
    kMpc = 0x4c,
    k9346 = 0x50,
    kConfig0 = 0x51,
    kConfig1 = 0x52,
    kTimerInt = 0x54,
    kMsr = 0x58,
    kConfig3 = 0x59,
    kConfig4 = 0x5a,
    kTsadSummary = 0x60,
    kBmcr = 0x62,
    kBmsr = 0x64,
    kAnar = 0x66,
    kAnlpar = 0x68,
    kAner = 0x6a,
    kCscr = 0x74,
    kConfig5 = 0xd8,
    kTpPoll = 0xd9,
    kCpcr = 0xe0,
    kRdsar = 0xe4,
};
constexpr uint32_t kSize = 0x100;
constexpr unsigned kOldTransmits = 4;
constexpr unsigned kDescriptors = 64;
constexpr unsigned kDescriptorSize = 16;

enum Cr : uint8_t {
    kCrEmpty = 1 << 0,
    kCrTransmit = 1 << 2,
    kCrReceive = 1 << 3,
    kCrReset = 1 << 4
};

enum Cause : uint16_t {
    kRxOk = 1 << 0,
    kTxOk = 1 << 2,
    kRxOverflow = 1 << 4, // in C+ mode: no descriptor
    kLinkChange = 1 << 5,
    kTxEmpty = 1 << 7,
    kSoftware = 1 << 8,
    kTimeout = 1 << 14,
};
constexpr uint16_t kCauses = 0xe1ff;

enum Rcr : uint32_t {
    kAcceptAll = 1 << 0,
    kAcceptMine = 1 << 1,
    kAcceptMulticast = 1 << 2,
    kAcceptBroadcast = 1 << 3,
    kNoWrap = 1 << 7,
};
constexpr unsigned kRingShift = 11; // two bits

constexpr uint32_t kTcrLoopback = 3 << 17;
constexpr uint32_t kTcrVersion = 0x7cc0'0000;
constexpr uint32_t kVersionC = 0x7400'0000, kVersionCPlus = 0x7480'0000;

enum Tsd : uint32_t { kTsdDone = 1 << 13, kTsdOk = 1 << 15 };
constexpr uint32_t kTsdLength = 0x1fff;

enum Pins9346 : uint8_t {
    kEepromOut = 1 << 0,
    kEepromIn = 1 << 1,
    kEepromClock = 1 << 2,
    kEepromSelect = 1 << 3,
    kEepromMode = 3 << 6,
};
constexpr uint8_t kModeProgram = 2 << 6, kModeUnlocked = 3 << 6;

enum Msr : uint8_t { kMsrNoLink = 1 << 2 };
enum Cscr : uint16_t { kCscrLink = 1 << 10, kCscrLinkChanged = 1 << 11 };

enum TpPoll : uint8_t { kPollSoftware = 1 << 0, kPollNormal = 1 << 6 };
enum Cpcr : uint16_t {
    kPlusTransmit = 1 << 0,
    kPlusReceive = 1 << 1,
    kPlusChecksums = 1 << 5,
    kPlusVlan = 1 << 6,
};

// The first word of a C+ descriptor.
enum Command : uint32_t {
    kOwned = 1u << 31,
    kRingEnd = 1u << 30,
    kFirst = 1u << 29,
    kLast = 1u << 28,
    kTxSegment = 1u << 27,
    kTxIpSum = 1u << 18,
    kTxUdpSum = 1u << 17,
    kTxTcpSum = 1u << 16,
    kRxMulticast = 1u << 26,
    kRxMine = 1u << 25,
    kRxBroadcast = 1u << 24,
    kRxTcp = 1u << 16, // of two bits
    kRxUdp = 2u << 16,
    kRxIp = 3u << 16,
    kRxBadIp = 1u << 15,
    kRxBadUdp = 1u << 14,
    kRxBadTcp = 1u << 13,
};
constexpr uint32_t kTxLength = 0xffff, kRxLength = 0x1fff;
constexpr unsigned kMssShift = 16;
constexpr uint32_t kMssMask = 0x7ff;
// The second.
constexpr uint32_t kTxTag = 1 << 17, kRxTagged = 1 << 16;

// Status of a frame in the ring of C mode.
enum OldStatus : uint16_t {
    kOldOk = 1 << 0,
    kOldBroadcast = 1 << 13,
    kOldMine = 1 << 14,
    kOldMulticast = 1 << 15,
};

} // namespace vireo::rtl8139

#endif // VIREO_EMULATED_NIC_RTL8139_REGISTERS_H
