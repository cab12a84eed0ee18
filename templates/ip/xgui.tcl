# What Vivado shows when the IP is customised: its name alone, for the build's id is nobody's to change.
proc init_gui {IPINST} {
    ipgui::add_param $IPINST -name "Component_Name"
    ipgui::add_page $IPINST -name "Page 0"
}
