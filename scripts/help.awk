# SPDX-License-Identifier: GPL-2.0-only
# Prints the table of contents of a Makefile: "##@ heading" lines, and "target: needs ## what it does" lines.
BEGIN { FS = ":.*## " }
/^##@ / { printf "\n%s\n", substr($0, 5) }
/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $1, $2 }
