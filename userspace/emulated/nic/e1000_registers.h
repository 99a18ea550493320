// SPDX-License-Identifier: GPL-2.0-only
// The Intel 82540EM as its driver sees it (Intel PCI/PCI-X Family of Gigabit Ethernet Controllers
// Software Developer's Manual, 13): 128 KiB of memory, all registers 32 bits wide, by these
// offsets.
//
//   00000  CTRL    resets, link, VLAN mode    00008  STATUS   link, speed
//   00010  EECD    the EEPROM's pins          00014  EERD     a word of the EEPROM
//   00020  MDIC    the transceiver (PHY)      00038  VET      Ethernet type of a VLAN tag
//   000c0  ICR     causes; a read clears      000c4  ITR      least time between interrupts
//   000c8  ICS     set causes                 000d0  IMS      causes that interrupt: set; 000d8 IMC
//   clear 00100  RCTL    receiver                   00400  TCTL     transmitter 02800  RDBAL,
//   RDBAH, RDLEN, RDH (02810), RDT (02818)      the ring of receive buffers 03800  TDBAL, TDBAH,
//   TDLEN, TDH (03810), TDT (03818)      the ring of transmit descriptors 04000 to 04124
//   statistics; a read clears 05000  RXCSUM  which checksums are looked at 05200  MTA     4096
//   bits: multicast hash  05400  RA       16 addresses: low, high 05600  VFTA    4096 bits: VLANs
//
// and 8 ports: 0 IOADDR, an offset; 4 IODATA, the register there. Descriptors are 16 bytes:
//
//   receive   address[8] length[2] checksum[2] status[1] errors[1] special[2]
//   transmit  address[8] length[2] cso[1] command[1] status[1] css[1] special[2]      legacy
//             address[8] length, type 1, command[4] status[1] options[1] special[2]   data
//             ipcss[1] ipcso[1] ipcse[2] tucss[1] tucso[1] tucse[2]                   context
//             length, type 0, command[4] status[1] header[1] mss[2]
#ifndef VIREO_EMULATED_NIC_E1000_REGISTERS_H
#define VIREO_EMULATED_NIC_E1000_REGISTERS_H

#include <cstdint>

namespace vireo::e1000 {

enum Register : uint32_t {
    kCtrl = 0x0,
    kCtrlDup = 0x4,
    kStatus = 0x8,
    kEecd = 0x10,
    kEerd = 0x14,
    kMdic = 0x20,
    kVet = 0x38,
    kIcr = 0xc0,
    kItr = 0xc4,
    kIcs = 0xc8,
    kIms = 0xd0,
    kImc = 0xd8,
    kRctl = 0x100,
    kTctl = 0x400,
    kLedctl = 0xe00,
    kPba = 0x1000,
    kRdbal = 0x2800,
    kRdbah = 0x2804,
    kRdlen = 0x2808,
    kRdh = 0x2810,
    kRdt = 0x2818,
    kTdbal = 0x3800,
    kTdbah = 0x3804,
    kTdlen = 0x3808,
    kTdh = 0x3810,
    kTdt = 0x3818,
    kStatistics = 0x4000,
    kMpc = 0x4010,
    kPrc64 = 0x405c, // and five classes of size more
    kGprc = 0x4074,
    kBprc = 0x4078,
    kMprc = 0x407c,
    kGptc = 0x4080,
    kGorcl = 0x4088,
    kGotcl = 0x4090,
    kRnbc = 0x40a0,
    kRoc = 0x40ac,
    kTorl = 0x40c0,
    kTotl = 0x40c8,
    kTpr = 0x40d0,
    kTpt = 0x40d4,
    kPtc64 = 0x40d8,
    kMptc = 0x40f0,
    kBptc = 0x40f4,
    kTsctc = 0x40f8,
    kStatisticsEnd = 0x4128,
    kRxcsum = 0x5000,
    kMta = 0x5200,
    kRa = 0x5400,
    kVfta = 0x5600,
    kRegistersEnd = 0x6000,
};

constexpr uint32_t kMemorySize = 0x20000;
constexpr uint32_t kPortsSize = 8;
constexpr uint32_t kReceiveAddresses = 16;
constexpr uint32_t kDescriptorSize = 16;

enum Ctrl : uint32_t {
    kCtrlFullDuplex = 1 << 0,
    kCtrlSetLinkUp = 1 << 6,
    kCtrlSpeed1000 = 2 << 8,
    kCtrlReset = 1 << 26,
    kCtrlVlanMode = 1 << 30,
    kCtrlPhyReset = 1u << 31,
};

enum Status : uint32_t {
    kStatusFullDuplex = 1 << 0,
    kStatusLinkUp = 1 << 1,
    kStatusSpeed1000 = 2 << 6,
    kStatusDetected1000 = 2 << 8,
};

enum Eecd : uint32_t {
    kEecdClock = 1 << 0,
    kEecdSelect = 1 << 1,
    kEecdIn = 1 << 2, // to the EEPROM
    kEecdOut = 1 << 3,
    kEecdFlashWrites = 3 << 4,
    kEecdRequest = 1 << 6,
    kEecdGrant = 1 << 7,
    kEecdPresent = 1 << 8,
};

enum Eerd : uint32_t { kEerdStart = 1 << 0, kEerdDone = 1 << 4 };

enum Mdic : uint32_t {
    kMdicWrite = 1 << 26,
    kMdicRead = 1 << 27,
    kMdicReady = 1 << 28,
    kMdicInterrupt = 1 << 29,
    kMdicError = 1 << 30,
};
constexpr uint32_t kPhyAddress = 1;

enum Cause : uint32_t {
    kTxWrittenBack = 1 << 0,
    kTxQueueEmpty = 1 << 1,
    kLinkChange = 1 << 2,
    kRxFewLeft = 1 << 4,
    kRxOverrun = 1 << 6,
    kRxTimer = 1 << 7,
    kMdiDone = 1 << 9,
};
constexpr uint32_t kCauses = 0xffff;

enum Rctl : uint32_t {
    kRctlEnable = 1 << 1,
    kRctlUnicastAll = 1 << 3,
    kRctlMulticastAll = 1 << 4,
    kRctlLong = 1 << 5,
    kRctlLoopback = 1 << 6, // of 3 << 6
    kRctlBroadcast = 1 << 15,
    kRctlVlanFilter = 1 << 18,
    kRctlSizeTimes16 = 1 << 25,
    kRctlStripCrc = 1 << 26,
};
constexpr unsigned kRctlThresholdShift = 8, kRctlHashShift = 12, kRctlSizeShift = 16;

enum Tctl : uint32_t { kTctlEnable = 1 << 1 };

enum Rxcsum : uint32_t { kRxcsumIp = 1 << 8, kRxcsumTransport = 1 << 9 };

enum RxStatus : uint8_t {
    kRxDone = 1 << 0,
    kRxEnd = 1 << 1,
    kRxIgnoreSums = 1 << 2,
    kRxVlan = 1 << 3,
    kRxTransportSum = 1 << 5,
    kRxIpSum = 1 << 6,
    kRxInexact = 1 << 7,
};
enum RxError : uint8_t { kRxBadTransport = 1 << 5, kRxBadIp = 1 << 6 };

// Of the third and fourth words of a transmit descriptor.
enum TxCommand : uint32_t {
    kTxEnd = 1u << 24,      // of the packet; in a context: TCP
    kTxSegment = 1u << 26,  // in a legacy descriptor: insert a checksum
    kTxReport = 1u << 27,   // write status back
    kTxExtended = 1u << 29, // data or context
    kTxVlan = 1u << 30,     // insert a tag
    kTxTypeData = 1u << 20, // of 0xf << 20; 0: context
    kTxContextIpv4 = 1u << 25,
};
constexpr uint32_t kTxTypeMask = 0xf << 20;
constexpr uint32_t kTxLengthMask = 0xfffff;
enum TxOption : uint8_t { kTxIpSum = 1 << 0, kTxTransportSum = 1 << 1 };
enum TxStatus : uint8_t { kTxDone = 1 << 0 };

} // namespace vireo::e1000

#endif // VIREO_EMULATED_NIC_E1000_REGISTERS_H
