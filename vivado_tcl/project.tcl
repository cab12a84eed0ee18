# The Vivado project: part, board file where one is installed, IP catalogue.

proc hlsgen::project {} {
    variable repository
    variable work
    create_project -force [setting design] $work -part [setting part]
    set board [board_part]
    if {$board ne ""} {
        set_property board_part $board [current_project]
    }
    set_property ip_repo_paths [list $repository] [current_project]
    update_ip_catalog -rebuild
}

# The installed board file: the one asked for, else another version of it, else none, which is enough for an overlay:
# the board's boot image has set up DRAM, pins and PLLs long before.
proc hlsgen::board_part {} {
    set wanted [string tolower [setting board_part]]
    if {$wanted eq ""} {
        return ""
    }
    set found ""
    set name [join [lrange [split $wanted :] 0 1] :]
    foreach candidate [lsort -dictionary [get_board_parts -quiet]] {
        set lower [string tolower $candidate]
        # board stores do not agree on capitals
        if {$lower eq $wanted} {
            set found $candidate
            break
        }
        if {[join [lrange [split $lower :] 0 1] :] eq $name} {
            set found $candidate
        }
    }
    if {$found eq ""} {
        say "no board file for [setting board_part]: using the part alone"
        return ""
    }
    set part [get_property PART_NAME [get_board_parts $found]]
    if {![string equal -nocase $part [setting part]]} {
        say "the board file $found is for the part $part: using [setting part] alone"
        return ""
    }
    say "board file $found"
    return $found
}
