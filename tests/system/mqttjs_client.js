// One message there and back with MQTT.js: node mqttjs_client.js URL [CA-FILE SERVER-NAME [PROTOCOL-VERSION]]
"use strict";
const fs = require("fs");
const mqtt = require("mqtt");

const [url, ca, servername, version = "4"] = process.argv.slice(2);
const options = { protocolVersion: Number(version), reconnectPeriod: 0, connectTimeout: 30000 };
if (ca) {
    Object.assign(options, { ca: fs.readFileSync(ca), servername, rejectUnauthorized: true });
    options.wsOptions = { ca: options.ca, servername };
}
const client = mqtt.connect(url, options);
const topic = `js/${process.pid}`;
const text = "a message that comes back ".repeat(500);

client.on("connect", () => client.subscribe(topic, { qos: 1 }, () => client.publish(topic, text, { qos: 2 })));
client.on("message", (_topic, payload) => {
    console.log(payload.toString() === text ? "the same" : "something else");
    client.end(false, () => process.exit(0));
});
client.on("error", (error) => {
    console.error(error.message);
    process.exit(1);
});
client.on("close", () => {
    if (!client.disconnecting) {
        console.error("closed");
        process.exit(1);
    }
});
