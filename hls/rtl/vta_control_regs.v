// The registers of the control block: status, interrupt, counters, and what reads return.
`default_nettype none

module vta_control_regs #(
    parameter [31:0] FINGERPRINT_HI = 32'h0,
    parameter [31:0] FINGERPRINT_LO = 32'h0,
    parameter [31:0] CAPABILITIES = 32'h0,
    parameter [31:0] SOURCE = 32'h0
) (
    input  wire        aclk,
    input  wire        aresetn,
    input  wire        soft_reset,
    input  wire        reset_pending,
    input  wire [31:0] hold,
    input  wire        launch,
    input  wire        finished,
    input  wire [31:0] faults,
    input  wire [31:0] events,  // those of counter n in bit n
    input  wire        write_enable,
    input  wire [11:0] write_address,
    input  wire [31:0] write_data,
    input  wire [31:0] write_mask,
    input  wire [11:0] read_address,
    output reg  [31:0] read_data,
    output wire        irq
);

    `include "vta_control_regs.vh"

    wire clear_status = !aresetn || soft_reset;
    wire [31:0] ones = write_data & write_mask;  // what a write of 1 acts on
    wire write_status = write_enable && write_address == AT_STATUS;
    wire write_errors = write_enable && write_address == AT_ERRORS;
    wire write_enables = write_enable && write_address == AT_INTERRUPT_ENABLE;
    wire write_counters = write_enable && write_address == AT_COUNTER_CONTROL;

    // ---- status: an event that comes with the write that clears it is not lost -----------

    reg done;
    reg running;
    reg [31:0] errors;
    reg [1:0] enables;  // done, error
    wire error = errors != 32'b0;

    assign irq = done && enables[INTERRUPT_ENABLE_DONE_BIT]
        || error && enables[INTERRUPT_ENABLE_ERROR_BIT];

    always @(posedge aclk) begin
        if (clear_status) done <= 1'b0;
        else if (finished) done <= 1'b1;
        else if (write_status && ones[STATUS_DONE_BIT]) done <= 1'b0;
    end

    always @(posedge aclk) begin
        if (clear_status) errors <= 32'b0;
        else errors <= errors & ~(write_errors ? ones : 32'b0) | faults;
    end

    // Requests that come after FINISH are of the same run: the next one clears DONE first.
    always @(posedge aclk) begin
        if (clear_status || finished) running <= 1'b0;
        else if (launch && !done) running <= 1'b1;
    end

    always @(posedge aclk) begin
        if (!aresetn) enables <= 2'b0;
        else if (write_enables) enables <= enables & ~write_mask[1:0] | ones[1:0];
    end

    // ---- counters ------------------------------------------------------------------------

    reg freeze;
    reg [63:0] cycles;
    reg [32*COUNTERS-1:0] counters;
    wire clear_counters = !aresetn || write_counters && ones[COUNTER_CONTROL_CLEAR_BIT];
    wire count = running && !freeze;

    always @(posedge aclk) begin
        if (!aresetn) freeze <= 1'b0;
        else if (write_counters && write_mask[COUNTER_CONTROL_FREEZE_BIT])
            freeze <= write_data[COUNTER_CONTROL_FREEZE_BIT];
    end

    always @(posedge aclk) begin
        if (clear_counters) cycles <= 64'b0;
        else if (count) cycles <= cycles + 64'd1;
    end

    genvar index;
    generate
        for (index = 0; index < COUNTERS; index = index + 1) begin : counting
            always @(posedge aclk) begin
                if (clear_counters) counters[32*index+:32] <= 32'b0;
                else if (count && events[index] && counters[32*index+:32] != 32'hffffffff)
                    counters[32*index+:32] <= counters[32*index+:32] + 32'd1;
            end
        end
    endgenerate

    // ---- reads ---------------------------------------------------------------------------

    wire [11:0] from_first = read_address - AT_FIRST_COUNTER;
    wire is_counter = read_address >= AT_FIRST_COUNTER && from_first < 4 * COUNTERS;

    always @* begin
        read_data = 32'b0;
        case (read_address)
            AT_MAGIC: read_data = RESET_OF_MAGIC;
            AT_VERSION: read_data = RESET_OF_VERSION;
            AT_FINGERPRINT_LO: read_data = FINGERPRINT_LO;
            AT_FINGERPRINT_HI: read_data = FINGERPRINT_HI;
            AT_CAPABILITIES: read_data = CAPABILITIES;
            AT_SOURCE: read_data = SOURCE;
            AT_RESET: begin
                read_data[RESET_PENDING_BIT] = reset_pending;
                read_data[RESET_ACTIVE_BIT] = soft_reset;
            end
            AT_HOLD: read_data = hold;
            AT_STATUS: begin
                read_data[STATUS_DONE_BIT] = done;
                read_data[STATUS_ERROR_BIT] = error;
                read_data[STATUS_RUNNING_BIT] = running;
            end
            AT_ERRORS: read_data = errors;
            AT_INTERRUPT_ENABLE: read_data[1:0] = enables;
            AT_COUNTER_CONTROL: read_data[COUNTER_CONTROL_FREEZE_BIT] = freeze;
            AT_CYCLES_LO: read_data = cycles[31:0];
            AT_CYCLES_HI: read_data = cycles[63:32];
            default: if (is_counter) read_data = counters[32*from_first[6:2]+:32];
        endcase
    end

endmodule

`default_nettype wire
