# Synthesis and implementation. Vivado's runs do not fail by themselves: how they ended has to be looked at.

proc hlsgen::synthesis {} {
    variable option
    launch_runs synth_1 -jobs $option(jobs)
    wait_for synth_1
    # the IPs' own runs come first; where one of them fails, synth_1 does not even start
    set all [get_runs -filter {IS_SYNTHESIS}]
    check_run synth_1 synthesis $all
    foreach run $all {
        # only a warning for Vivado, which goes on with a memory full of zeros
        set lines [log_lines $run {could not open \$readmem}]
        if {[llength $lines]} {
            fail synthesis "synthesis did not find a memory's contents: [lindex $lines 0]"
        }
    }
}

proc hlsgen::implementation {} {
    variable option
    set run [get_runs impl_1]
    set tried {}
    set missed "no strategy was given"
    foreach strategy [setting strategies] {
        if {[llength $tried]} {
            say "timing is not met ($missed); trying again with the strategy $strategy"
            reset_run impl_1
        }
        set_property strategy $strategy $run
        launch_runs impl_1 -jobs $option(jobs)
        wait_for impl_1
        check_run $run implementation
        set missed [missed_timing $run]
        lappend tried $strategy
        if {$missed eq ""} {
            break
        }
    }
    if {$missed ne ""} {
        open_run impl_1
        write_reports
        fail timing "timing is not met at [setting clock_mhz] MHz: $missed. Tried: [join $tried {, }]"
    }
    say "timing met: WNS [get_property STATS.WNS $run] ns, WHS [get_property STATS.WHS $run] ns"
    launch_runs impl_1 -to_step write_bitstream -jobs $option(jobs)
    wait_for impl_1
    check_run $run bitstream
}

# Slacks below zero, in words: empty if timing is met.
proc hlsgen::missed_timing {run} {
    set missed {}
    foreach {name property} {WNS STATS.WNS WHS STATS.WHS TPWS STATS.TPWS} {
        set slack [get_property $property $run]
        if {![string is double -strict $slack]} {
            fail implementation "the run impl_1 has no $name, so nobody knows whether timing is met"
        }
        if {$slack < 0} {
            lappend missed "$name $slack ns"
        }
    }
    return [join $missed ", "]
}

# wait_on_run is called wait_on_runs since 2021.2; some versions end it with an error when the run has failed.
proc hlsgen::wait_for {run} {
    if {[llength [info commands wait_on_runs]]} {
        catch {wait_on_runs $run} message
    } else {
        catch {wait_on_run $run} message
    }
    return $message
}

# End the build unless the run is complete. The errors in the log of the one to blame are repeated: of those that it
# waited for, one that says itself that it failed, else the run itself.
proc hlsgen::check_run {run kind {others {}}} {
    if {[get_property PROGRESS $run] eq "100%"} {
        return
    }
    set first $run
    foreach other $others {
        if {[regexp -nocase {error|fail} [get_property STATUS $other]]} {
            set first $other
            break
        }
    }
    foreach line [lrange [log_lines $first {^(ERROR|CRITICAL WARNING|FATAL)}] 0 19] {
        puts $line
    }
    flush stdout
    fail $kind "the run $first ended with \"[get_property STATUS $first]\"; its log is\
        [file join [get_property DIRECTORY $first] runme.log]"
}

# Lines of a run's log that match a regular expression.
proc hlsgen::log_lines {run expression} {
    set file [file join [get_property DIRECTORY $run] runme.log]
    if {![file exists $file]} {
        return {}
    }
    set stream [open $file r]
    set lines {}
    while {[gets $stream line] >= 0} {
        if {[regexp -nocase -- $expression $line]} {
            lappend lines $line
        }
    }
    close $stream
    return $lines
}
