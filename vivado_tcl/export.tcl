# What people want: bitstream and hardware description beside the driver, and reports.

# Products of an earlier run must not be taken for those of one that failed.
proc hlsgen::discard_products {} {
    variable deploy
    foreach name [list [setting design].bit [setting design].hwh power.rpt] {
        file delete -- [file join $deploy $name]
    }
}

proc hlsgen::export {} {
    variable work
    variable deploy
    variable reports
    open_run impl_1
    write_reports
    set bitstream [file join [get_property DIRECTORY [get_runs impl_1]] [setting block_design]_wrapper.bit]
    # .gen since 2020.2, though a project made over from an older version keeps .srcs
    set description {}
    foreach kind {gen srcs} {
        set file [file join $work [setting design].$kind sources_1 bd [setting block_design] hw_handoff \
            [setting block_design].hwh]
        if {[file exists $file]} {
            set description $file
            break
        }
    }
    if {![file exists $bitstream]} {
        fail product "Vivado left no bitstream at $bitstream"
    }
    if {$description eq ""} {
        fail product "Vivado left no hardware description [setting block_design].hwh below $work"
    }
    # pynq finds the description by the bitstream's name
    deliver $bitstream [setting design].bit
    deliver $description [setting design].hwh
    deliver [file join $reports power.rpt] power.rpt
    say "bitstream: [file join $deploy [setting design].bit]"
}

# Copy a file into deploy/, whole or not at all.
proc hlsgen::deliver {source name} {
    variable deploy
    file mkdir $deploy
    set target [file join $deploy $name]
    file copy -force -- $source $target.new
    file rename -force -- $target.new $target
}

# Reports of the design that is open: of all of it, and the resources of the accelerator by itself.
proc hlsgen::write_reports {} {
    variable reports
    file mkdir $reports
    report_utilization -file [file join $reports utilization.rpt]
    set cell [get_cells [setting block_design]_i/[setting accelerator]]
    report_utilization -cells $cell -file [file join $reports utilization_accel.rpt]
    report_timing_summary -file [file join $reports timing.rpt]
    # no activity is known: an estimate from default toggle rates
    report_power -file [file join $reports power.rpt]
    say "reports: $reports"
}
