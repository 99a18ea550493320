// SPDX-License-Identifier: GPL-2.0-only
/*
 * The whole userspace of a guest whose boot is measured: one line on the console, and then nothing.
 */
#include <string.h>
#include <unistd.h>

int main(void) {
    static const char line[] = "@vireo up\n";

    if (write(STDOUT_FILENO, line, strlen(line)) < 0)
        return 1;
    for (;;)
        pause();
}
