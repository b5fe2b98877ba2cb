// Bench of the control block: it executes a list of commands and checks what it is told to.
//
//   vvp vta_control_tb +commands=FILE        exit text "PASS" or "FAIL n"
//
// One command a line, numbers in hexadecimal but for cycles and delays:
//   w ADDRESS DATA STROBES D1 D2 D3    write; delays of address, data and ready for the response
//   b ADDRESS DATA D3                  two writes, the second before the response to the first is
//                                      taken, D3 cycles later
//   x ADDRESS DATA TAPS                write, with TAPS added in the very cycle in which it acts
//   r ADDRESS VALUE MASK D1 D2         read, expect VALUE where MASK is 1; delays of address, ready
//   t TAPS                             what the taps hold from now on
//   p TAPS                             the same for one cycle
//   n CYCLES                           wait
//   o IRQ FIFO_RESETN MODULE_RESETN    expect these outputs
//   k INDEX VALUE                      put VALUE into a counter
// Taps are the pins of vta_control behind its AXI-Lite slave and outputs, the first one lowest.
module vta_control_tb;

    parameter [31:0] FINGERPRINT_HI = 32'h0;
    parameter [31:0] FINGERPRINT_LO = 32'h0;
    parameter [31:0] CAPABILITIES = 32'h0;
    parameter [31:0] SOURCE = 32'h0;
    `include "taps.vh"  // TAPS, and TAP_PINS for the instance; written from the port list

    reg aclk = 1'b0;
    reg aresetn = 1'b0;
    always #5 aclk = ~aclk;

    reg [11:0] awaddr = 0, araddr = 0;
    reg [31:0] wdata = 0;
    reg [3:0] wstrb = 0;
    reg awvalid = 0, wvalid = 0, bready = 0, arvalid = 0, rready = 0;
    wire awready, wready, bvalid, arready, rvalid;
    wire [1:0] bresp, rresp;
    wire [31:0] rdata;
    wire irq, fifo_resetn, module_resetn;

    reg [TAPS-1:0] held = 0, strike = 0;
    wire [TAPS-1:0] taps = held | (dut.write_enable ? strike : {TAPS{1'b0}});

    vta_control #(
        .FINGERPRINT_HI(FINGERPRINT_HI),
        .FINGERPRINT_LO(FINGERPRINT_LO),
        .CAPABILITIES(CAPABILITIES),
        .SOURCE(SOURCE)
    ) dut (
        .aclk(aclk),
        .aresetn(aresetn),
        .s_axi_control_awaddr(awaddr),
        .s_axi_control_awvalid(awvalid),
        .s_axi_control_awready(awready),
        .s_axi_control_wdata(wdata),
        .s_axi_control_wstrb(wstrb),
        .s_axi_control_wvalid(wvalid),
        .s_axi_control_wready(wready),
        .s_axi_control_bresp(bresp),
        .s_axi_control_bvalid(bvalid),
        .s_axi_control_bready(bready),
        .s_axi_control_araddr(araddr),
        .s_axi_control_arvalid(arvalid),
        .s_axi_control_arready(arready),
        .s_axi_control_rdata(rdata),
        .s_axi_control_rresp(rresp),
        .s_axi_control_rvalid(rvalid),
        .s_axi_control_rready(rready),
        `TAP_PINS
        .irq(irq),
        .fifo_resetn(fifo_resetn),
        .module_resetn(module_resetn)
    );

    integer file, line, got, failures, checks;
    integer d1, d2, d3, cycles;
    reg [8*1024-1:0] name;
    reg [7:0] op;
    reg [31:0] address, data, mask;
    reg [TAPS-1:0] pattern;

    task fail(input [31:0] found, input [31:0] wanted);
        begin
            failures = failures + 1;
            if (failures < 20)
                $display("command %0d (%s %h): %h, not %h", line, op, address, found, wanted);
        end
    endtask

    // A handshake that does not come is a failure, not a bench that hangs.
    task timeout(input integer waited);
        if (waited > 1000) begin
            $display("command %0d (%s %h): no answer", line, op, address);
            $finish;
        end
    endtask

    // Inputs change a little after the clock's edge; waiting ends there too.
    task tick;
        begin
            @(posedge aclk);
            #1;
        end
    endtask

    task send_address;
        integer n;
        begin
            repeat (d1) tick;
            awaddr = address[11:0];
            awvalid = 1;
            n = 0;
            while (!awready) begin
                tick;
                n = n + 1;
                timeout(n);
            end
            tick;
            awvalid = 0;
        end
    endtask

    task send_data;
        integer n;
        begin
            repeat (d2) tick;
            wdata = data;
            wstrb = mask[3:0];
            wvalid = 1;
            n = 0;
            while (!wready) begin
                tick;
                n = n + 1;
                timeout(n);
            end
            tick;
            wvalid = 0;
            wdata = 32'hdeadbeef;
        end
    endtask

    task write;
        begin
            fork
                send_address;
                send_data;
            join
            respond;
        end
    endtask

    task respond;
        integer n;
        begin
            n = 0;
            while (!bvalid) begin
                tick;
                n = n + 1;
                timeout(n);
            end
            repeat (d3) begin
                tick;
                if (!bvalid) fail(0, 1);
            end
            bready = 1;
            if (bresp != 2'b00) fail(bresp, 0);
            tick;
            bready = 0;
            checks = checks + 1;
        end
    endtask

    task read;
        integer n;
        reg [31:0] first;
        begin
            repeat (d1) tick;
            araddr = address[11:0];
            arvalid = 1;
            n = 0;
            while (!arready) begin
                tick;
                n = n + 1;
                timeout(n);
            end
            tick;
            arvalid = 0;
            araddr = 12'hxxx;
            n = 0;
            while (!rvalid) begin
                tick;
                n = n + 1;
                timeout(n);
            end
            first = rdata;
            repeat (d2) begin
                tick;
                if (!rvalid || rdata !== first) fail(rdata, first);
            end
            rready = 1;
            if (rresp != 2'b00) fail(rresp, 0);
            if ((rdata & mask) !== (data & mask)) fail(rdata & mask, data & mask);
            tick;
            rready = 0;
            checks = checks + 1;
        end
    endtask

    task outputs;
        begin
            checks = checks + 1;
            if ({irq, fifo_resetn, module_resetn} !== {address[0], data[0], mask[0]})
                fail({irq, fifo_resetn, module_resetn}, {address[0], data[0], mask[0]});
        end
    endtask

    task command;
        case (op)
            "w": begin
                got = $fscanf(file, "%h %h %h %d %d %d\n", address, data, mask, d1, d2, d3);
                write;
            end
            "b": begin
                got = $fscanf(file, "%h %h %d\n", address, data, d3);
                {d1, d2} = 0;
                mask = 15;
                repeat (2) begin
                    fork
                        send_address;
                        send_data;
                    join
                end
                respond;
                respond;
            end
            "x": begin
                got = $fscanf(file, "%h %h %h\n", address, data, strike);
                {d1, d2, d3} = 0;
                mask = 15;
                write;
                strike = 0;
            end
            "r": begin
                got = $fscanf(file, "%h %h %h %d %d\n", address, data, mask, d1, d2);
                read;
            end
            "t": got = $fscanf(file, "%h\n", held);
            "p": begin
                pattern = held;
                got = $fscanf(file, "%h\n", held);
                tick;
                held = pattern;
            end
            "n": begin
                got = $fscanf(file, "%d\n", cycles);
                repeat (cycles) tick;
            end
            "o": begin
                got = $fscanf(file, "%h %h %h\n", address, data, mask);
                outputs;
            end
            "k": begin
                got = $fscanf(file, "%d %h\n", cycles, data);
                dut.registers.counters[32*cycles+:32] = data;
            end
            default: begin
                $display("command %0d: %s is none", line, op);
                $finish;
            end
        endcase
    endtask

    initial begin
        line = 0;
        failures = 0;
        checks = 0;
        if (!$value$plusargs("commands=%s", name)) begin
            $display("vta_control_tb: +commands=FILE must be given");
            $finish;
        end
        file = $fopen(name, "r");
        repeat (4) tick;
        op = "o";
        address = 0;
        data = 0;
        mask = 0;
        outputs;  // in reset, everything behind the block is
        if (awready || wready || arready || bvalid || rvalid) fail(1, 0);
        aresetn = 1;
        repeat (2) tick;
        while ($fscanf(file, "%c ", op) == 1) begin
            line = line + 1;
            command;
        end
        if (failures == 0) $display("PASS %0d commands, %0d checks", line, checks);
        else $display("FAIL %0d", failures);
        $finish;
    end

endmodule
