// A conversation with an echo server over TLS: node node.js HOST PORT CA-FILE SERVER-NAME VERSION ROUNDS
"use strict";
const fs = require("fs");
const tls = require("tls");

const [host, port, ca, servername, version, rounds] = process.argv.slice(2);
const options = { host, port: Number(port), ca: fs.readFileSync(ca), servername };
options.minVersion = options.maxVersion = `TLSv${version}`;

function message(round) {
    const bytes = Buffer.alloc(1 + (round * 977) % 40000);
    for (let i = 0; i < bytes.length; i++)
        bytes[i] = (i * 31 + round) % 251;
    return bytes;
}

let round = 0;
let heard = [];
let length = 0;
const socket = tls.connect(options, () => socket.write(message(0)));
socket.on("data", (piece) => {
    heard.push(piece);
    length += piece.length;
    const expected = message(round);
    if (length < expected.length)
        return;
    if (!Buffer.concat(heard).equals(expected))
        throw new Error(`something else in round ${round}`);
    heard = [];
    length = 0;
    if (++round < Number(rounds))
        socket.write(message(round));
    else
        socket.end();
});
socket.on("end", () => console.log(round === Number(rounds) ? "the same" : "ended early"));
