# The accelerator as an IP: ip_repo/ holds it ready for use. Where Vivado does not take that description, it is packaged
# again from the same sources, in Vivado's own way.

namespace eval hlsgen {
    variable repository [file join $root ip_repo]
}

proc hlsgen::ip {} {
    variable repository
    variable reports
    set part [setting part]
    # compared as text: get_parts would take a name for a pattern
    if {[lsearch -exact [get_parts] $part] < 0} {
        fail part "the part $part is not known to this Vivado: install its device family (Help > Add Design Tools or\
            Devices), or correct the board's YAML file"
    }
    set folder [file join $repository [ip_folder]]
    if {![file exists [file join $folder component.xml]]} {
        fail ip "$folder/component.xml is missing: copy the whole build folder, ip_repo included"
    }
    set problem [ip_problem $repository]
    if {$problem ne ""} {
        say "packaging the IP again, for Vivado does not take it as it is: $problem"
        set again [file join $reports ip_repo]
        package_ip [file join $folder src] [file join $again [ip_folder]] [build_id $folder]
        set repository $again
        set problem [ip_problem $repository]
        if {$problem ne ""} {
            fail ip "Vivado does not take the accelerator's IP, not even packaged again: $problem"
        }
    }
}

# Vendor, library, name and version of the accelerator's IP.
proc hlsgen::vlnv {} {
    return [setting vendor]:[setting library]:[setting ip]:[setting ip_version]
}

# Name of the folder with component.xml.
proc hlsgen::ip_folder {} {
    return [setting ip]_[string map {. _} [setting ip_version]]
}

# What is wrong with the IP in a repository: empty if nothing is.
proc hlsgen::ip_problem {repository} {
    set problem ""
    create_project -in_memory -part [setting part]
    if {[catch {
        set file [file join $repository [ip_folder] component.xml]
        ipx::check_integrity -quiet [ipx::open_core $file]
        ipx::unload_core $file
        set_property ip_repo_paths [list $repository] [current_project]
        update_ip_catalog -rebuild
        if {[llength [get_ipdefs -all [vlnv]]] == 0} {
            set problem "the catalogue does not list [vlnv] for the part [setting part]"
        }
    } message]} {
        set problem $message
    }
    close_project
    return $problem
}

# The id of the build that the IP in a folder is of, 16 hexadecimal digits. Vivado may not understand the file.
proc hlsgen::build_id {folder} {
    set file [file join $folder component.xml]
    set stream [open $file]
    fconfigure $stream -translation binary
    set text [read $stream]
    close $stream
    if {![regexp {"PARAM_VALUE\.BUILD_ID"[^<>]*>([0-9a-f]{16})<} $text -> id]} {
        fail ip "$file does not say of which build it is: build the model again"
    }
    return $id
}

# Package the files of a folder, with accel.v as the top, into another folder.
proc hlsgen::package_ip {sources target build_id} {
    variable reports
    create_project -force package [file join $reports package] -part [setting part]
    add_files -norecurse [lsort [glob -directory $sources *]]
    set_property top [setting ip] [current_fileset]
    update_compile_order -fileset sources_1
    # interfaces come from the attributes in accel.v
    ipx::package_project -root_dir $target -vendor [setting vendor] -library [setting library] -taxonomy /UserIP \
        -import_files -force
    set core [ipx::current_core]
    set_property -dict [list \
        name [setting ip] \
        version [setting ip_version] \
        core_revision 1 \
        supported_families {zynq Production zynquplus Production zynquplusRFSOC Production} \
    ] $core
    # the processing system's clock is a few hertz off the round number, which is no fault
    set_property ipi_drc {ignore_freq_hz true} $core
    set bus s_axi_control
    if {![llength [ipx::get_memory_maps -quiet $bus -of_objects $core]]} {
        ipx::add_address_block reg0 [ipx::add_memory_map $bus $core]
        set_property slave_memory_map_ref $bus [ipx::get_bus_interfaces $bus -of_objects $core]
    }
    set_property range [expr {[setting segment_bytes]}] \
        [ipx::get_address_blocks -of_objects [ipx::get_memory_maps $bus -of_objects $core]]
    # without this type, synthesis does not find what $readmemh reads
    foreach group [ipx::get_file_groups -of_objects $core] {
        foreach file [ipx::get_files -quiet -of_objects $group *.mem] {
            set_property type mem $file
        }
    }
    # goes into the .hwh, where the driver looks which build it is of
    set parameter [ipx::add_user_parameter BUILD_ID $core]
    foreach {name value} [list \
        value_resolve_type user \
        value_format string \
        value $build_id \
        enablement_value false \
    ] {
        set_property $name $value $parameter
    }
    ipx::create_xgui_files $core
    ipx::update_checksums $core
    ipx::check_integrity $core
    ipx::save_core $core
    close_project
}
