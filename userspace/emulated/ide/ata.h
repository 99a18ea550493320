// SPDX-License-Identifier: GPL-2.0-only
// Registers, bits and commands of ATA and ATAPI drives: ATA/ATAPI-6 (T13/1410D), chapters 7 and 8.
#ifndef VIREO_EMULATED_IDE_ATA_H
#define VIREO_EMULATED_IDE_ATA_H

#include <cstdint>

namespace vireo::ata {

// The command block, from its first port on.
enum Register : uint8_t {
    kData = 0,
    kError = 1, // read; write: feature
    kFeature = 1,
    kCount = 2,
    kLow = 3,
    kMid = 4,
    kHigh = 5,
    kDevice = 6,
    kStatus = 7, // read; write: command
    kCommand = 7,
};

enum Status : uint8_t {
    kErr = 1 << 0,
    kDrq = 1 << 3, // data are to be moved
    kSeekDone = 1 << 4,
    kFault = 1 << 5,
    kReady = 1 << 6,
    kBusy = 1 << 7,
};

enum Error : uint8_t {
    kAborted = 1 << 2,
    kNotFound = 1 << 4, // no such address
    kUncorrectable = 1 << 6,
};

enum DeviceBit : uint8_t { kHead = 0x0f, kDrive1 = 1 << 4, kLba = 1 << 6 };

enum Control : uint8_t {
    kNoInterrupt = 1 << 1,
    kSoftReset = 1 << 2,
    kPrevious = 1 << 7, // registers of two bytes are read as they were written first
};

enum Command : uint8_t {
    kNop = 0x00,
    kDeviceReset = 0x08,
    kRecalibrate = 0x10,
    kReadSectors = 0x20,
    kReadSectorsOnce = 0x21,
    kReadSectorsExt = 0x24,
    kReadDmaExt = 0x25,
    kReadMultipleExt = 0x29,
    kWriteSectors = 0x30,
    kWriteSectorsOnce = 0x31,
    kWriteSectorsExt = 0x34,
    kWriteDmaExt = 0x35,
    kWriteMultipleExt = 0x39,
    kWriteDmaFuaExt = 0x3d,
    kReadVerify = 0x40,
    kReadVerifyOnce = 0x41,
    kReadVerifyExt = 0x42,
    kSeek = 0x70,
    kDiagnose = 0x90,
    kSetGeometry = 0x91,
    kPacket = 0xa0,
    kIdentifyPacket = 0xa1,
    kReadMultiple = 0xc4,
    kWriteMultiple = 0xc5,
    kSetMultiple = 0xc6,
    kReadDma = 0xc8,
    kReadDmaOnce = 0xc9,
    kWriteDma = 0xca,
    kWriteDmaOnce = 0xcb,
    kWriteMultipleFuaExt = 0xce,
    kStandbyNow = 0xe0,
    kIdleNow = 0xe1,
    kStandby = 0xe2,
    kIdle = 0xe3,
    kCheckPower = 0xe5,
    kSleep = 0xe6,
    kFlush = 0xe7,
    kFlushExt = 0xea,
    kIdentify = 0xec,
    kSetFeatures = 0xef,
};

enum Feature : uint8_t {
    kWriteCacheOn = 0x02,
    kTransferMode = 0x03,
    kLookAheadOff = 0x55,
    kRevertOff = 0x66, // settings stay over a soft reset
    kWriteCacheOff = 0x82,
    kLookAheadOn = 0xaa,
    kRevertOn = 0xcc,
};

} // namespace vireo::ata

#endif // VIREO_EMULATED_IDE_ATA_H
