// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BLOCK_BLOCKING_IO_H
#define VIREO_BLOCK_BLOCKING_IO_H

#include "block/image.h"
#include "block/io_engine.h"

namespace vireo {

// Do an operation from beginning to end, with calls that block; the outcome is in it. Any thread.
void perform_io(const ImageEndpoint& image, IoOperation& operation) noexcept;

} // namespace vireo

#endif // VIREO_BLOCK_BLOCKING_IO_H
