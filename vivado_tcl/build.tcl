# From the accelerator's IP to accel.bit and accel.hwh. Works from any folder:
#
#   vivado -mode batch -notrace -nojournal -log vivado.log -source build.tcl [-tclargs NAME VALUE ...]
#
#   last STAGE    stop after this stage: ip, project, block_design, synthesis, implementation or export (default: all)
#   jobs NUMBER   runs at a time (default 2)
#   hooks FOLDER  your own Tcl around the stages (default: hooks/, beside this file, whose README.md says more)
#
# Ends with an error, hence exit code 1 in batch mode, unless every run succeeds and timing is met.
# Vivado 2020.2 or later; only commands of Tcl 8.5, which older versions of Vivado have.

namespace eval hlsgen {
    variable scripts [file dirname [file normalize [info script]]]
}
foreach hlsgen::part {base ip project processing_system block_design runs export} {
    source [file join $hlsgen::scripts tcl $hlsgen::part.tcl]
}
source [file join $hlsgen::scripts settings.tcl]

hlsgen::main [expr {[info exists argv] ? $argv : {}}]
