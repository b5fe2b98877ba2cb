// What the taps of one AXI master, and of one module, tell.
`default_nettype none

// Whether a master has transactions under way: those that began less those that ended.
module vta_control_outstanding (
    input  wire aclk,
    input  wire clear,
    input  wire begins,
    input  wire ends,
    output wire open
);

    // The HLS adapters have at most 16 bursts under way (VTA_BURSTS_AHEAD is 8).
    reg [7:0] count;

    assign open = count != 8'd0;

    always @(posedge aclk) begin
        if (clear) count <= 8'd0;
        else if (begins && !ends) count <= count + 8'd1;
        // The answer to a burst from before a forced reset must not wrap the count.
        else if (ends && !begins && open) count <= count - 8'd1;
    end

endmodule

// Whether load, compute or store has an instruction, and whether it works on it.
module vta_control_module (
    input  wire aclk,
    input  wire clear,
    input  wire queue_tvalid,
    input  wire queue_tready,
    input  wire stalled,  // waits for a token, or cannot push one
    output wire starved,
    output wire works
);

    // From the cycle after an instruction is taken to the one in which the next is asked for.
    reg has_insn;
    wire takes = queue_tvalid && queue_tready;

    assign starved = queue_tready && !queue_tvalid;
    assign works = takes || has_insn && !starved && !stalled;

    always @(posedge aclk) begin
        if (clear) has_insn <= 1'b0;
        else if (takes) has_insn <= 1'b1;
        else if (starved) has_insn <= 1'b0;
    end

endmodule

`default_nettype wire
