# SPDX-License-Identifier: GPL-2.0-only
"""What make bench-net is made of.

cells     what is measured, and how it is told to the driver program
lab       builds, boots, and collects the driver's answers
figures   costs by cell from these answers, and the verdict on them
report    JSON and tables
plot      the picture
symbols   names for the addresses of a profile
"""
