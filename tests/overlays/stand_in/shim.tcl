# Every command that Tcl does not know goes to the stand-in on the other side of the pipe: a line
# with the words in hexadecimal, and a line back, `ok` or `error` and the result.

rename puts tcl_puts

proc unknown {args} {
    set words [list]
    foreach word $args {lappend words x[binary encode hex [encoding convertto utf-8 $word]]}
    tcl_puts stdout [join $words]
    flush stdout
    if {[gets stdin reply] < 0} {exit 3}
    lassign $reply kind result
    set text [encoding convertfrom utf-8 [binary decode hex [string range $result 1 end]]]
    if {$kind ne "ok"} {return -code error $text}
    return $text
}

# What scripts print must not get into the pipe.
proc puts {args} {
    if {[llength $args] == 1} {tcl_puts stderr [lindex $args 0]} else {tcl_puts {*}$args}
}
