# What Vivado shows when the IP is customised: its name alone, for the build's id is nobody's to change.
proc init_gui {IPINST} {
    ipgui::add_param $IPINST -name "Component_Name"
    ipgui::add_page $IPINST -name "Page 0"
}

# Called when a parameter that BUILD_ID depends on has changed: there is none.
proc update_PARAM_VALUE.BUILD_ID {PARAM_VALUE.BUILD_ID} {
}

# Whether BUILD_ID has a value that it may have.
proc validate_PARAM_VALUE.BUILD_ID {PARAM_VALUE.BUILD_ID} {
    return true
}
