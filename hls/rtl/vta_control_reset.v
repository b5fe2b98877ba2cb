// The soft reset: first the FIFOs, then, when no AXI transaction is under way, the modules.
//
// A master that is reset in the middle of a burst leaves the interconnect waiting for ever. With
// the FIFOs held in reset nothing new begins: fetch cannot push, the others end the instruction
// that they have and then wait. `quiet` must last for SETTLE cycles, which is longer than a request
// takes through the adapter of a master, before the modules are reset.
`default_nettype none

module vta_control_reset #(
    parameter SETTLE = 64,
    // Longer than any of the resets: 3 cycles for the FIFOs, 1 for the modules.
    parameter LENGTH = 32
) (
    input  wire aclk,
    input  wire aresetn,
    input  wire request,
    input  wire force_now,
    input  wire quiet,
    output wire pending,
    output wire active,
    output reg  fifo_resetn,
    output reg  module_resetn
);

    localparam [1:0] IDLE = 2'd0, DRAIN = 2'd1, ACTIVE = 2'd2;

    reg [1:0] state;
    reg [7:0] count;

    assign pending = state == DRAIN;
    assign active = state == ACTIVE;

    wire settled = quiet && count == SETTLE - 1;
    wire over = count == LENGTH - 1;

    always @(posedge aclk) begin
        if (!aresetn) state <= IDLE;
        else begin
            case (state)
                IDLE: if (request) state <= force_now ? ACTIVE : DRAIN;
                DRAIN: if (force_now || settled) state <= ACTIVE;
                default: if (over) state <= IDLE;
            endcase
        end
    end

    always @(posedge aclk) begin
        if (!aresetn || state == IDLE) count <= 8'd0;
        else if (pending && (!quiet || force_now || settled)) count <= 8'd0;
        else count <= count + 8'd1;
    end

    always @(posedge aclk) begin
        if (!aresetn) begin
            fifo_resetn <= 1'b0;
            module_resetn <= 1'b0;
        end else begin
            fifo_resetn <= state == IDLE;
            module_resetn <= state != ACTIVE;
        end
    end

endmodule

`default_nettype wire
