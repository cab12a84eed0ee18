# What all stages use: messages, failures, settings, the order of stages and the user's hooks.

namespace eval hlsgen {
    variable stages {ip project block_design synthesis implementation export}
    variable oldest 2020.2
    # The build folder; people read what is in $reports, Vivado's project is in $work.
    variable root [file dirname $scripts]
    variable reports [file join $root reports vivado]
    variable work [file join $reports project]
    variable deploy [file join $root deploy]
    variable option
    variable setting
}

# Tell the user, and whoever follows the output, how things go on.
proc hlsgen::say {text} {
    # one line, whatever is in it
    puts "hlsgen: [string map {\n { } \r { }} $text]"
    flush stdout
}

# End the build. $kind is one word that says what failed, for programs that read the log.
proc hlsgen::fail {kind text} {
    return -code error -errorcode [list HLSGEN $kind] $text
}

# A value of settings.tcl.
proc hlsgen::setting {name} {
    variable setting
    if {![info exists setting($name)]} {
        fail settings "settings.tcl does not say \"$name\": build the model again"
    }
    return $setting($name)
}

# All stages up to the one asked for.
proc hlsgen::main {arguments} {
    variable stages
    variable option
    set stage start
    if {[catch {
        read_options $arguments
        check_version
        if {[lsearch -exact $stages $option(last)] >= [lsearch -exact $stages synthesis]} {
            discard_products
        }
        foreach stage [lrange $stages 0 [lsearch -exact $stages $option(last)]] {
            say "stage $stage"
            hook pre_$stage
            hlsgen::$stage
            hook post_$stage
        }
        say "done"
    } message]} {
        set kind tool
        if {[lindex $::errorCode 0] eq "HLSGEN"} {
            set kind [lindex $::errorCode 1]
        }
        set trace $::errorInfo
        puts "ERROR: hlsgen $kind failed in stage $stage: [string map {\n { } \r { }} $message]"
        flush stdout
        error $message $trace
    }
}

proc hlsgen::read_options {arguments} {
    variable option
    variable scripts
    variable stages
    array set option [list last [lindex $stages end] jobs 2 hooks [file join $scripts hooks]]
    foreach {name value} $arguments {
        if {![info exists option($name)] || $value eq ""} {
            fail option "\"$name $value\" is no option of build.tcl; it knows: last STAGE, jobs NUMBER, hooks FOLDER"
        }
        set option($name) $value
    }
    if {[lsearch -exact $stages $option(last)] < 0} {
        fail option "there is no stage \"$option(last)\"; the stages are: [join $stages {, }]"
    }
    if {![string is integer -strict $option(jobs)] || $option(jobs) < 1} {
        fail option "jobs is \"$option(jobs)\", not a positive number"
    }
    if {![file isdirectory $option(hooks)]} {
        fail option "there is no folder \"$option(hooks)\" for hooks"
    }
}

proc hlsgen::check_version {} {
    variable oldest
    set version [version -short]
    # "2024.2.1" and "2023.2_AR0001" are versions, too
    if {![regexp {^(\d+)\.(\d+)} $version -> year release]} {
        fail version "this is no version of Vivado: \"$version\""
    }
    if {[package vcompare $year.$release $oldest] < 0} {
        fail version "this is Vivado $version; the scripts need $oldest or later"
    }
    say "Vivado $version"
}

# The user's Tcl for a point of the build, if there is any. It runs at the top level, as if typed in Vivado's console.
proc hlsgen::hook {name} {
    variable option
    set file [file join $option(hooks) $name.tcl]
    if {[file exists $file]} {
        say "hook $name.tcl"
        if {[catch {uplevel #0 [list source $file]} message]} {
            set trace $::errorInfo
            return -code error -errorinfo $trace -errorcode [list HLSGEN hook] "$file: $message"
        }
    }
}
