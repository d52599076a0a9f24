import { cpus } from 'node:os';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { parser } from 'mqtt-packet';
import { PacketDecoder } from '@selsyn/wire/mqtt/decoder.ts';
import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import { TopicCache } from '@selsyn/wire/mqtt/topic-cache.ts';

/*
 * Claim: the decoder takes at least 5 million PUBLISH packets a second from chunks of 20.
 *
 * Workload: QoS 1 PUBLISHes of MQTT 3.1.1 with a payload of 75 bytes, one topic for each connection, 1 or 20 packets a chunk, the
 * connections in turn. Compared with mqtt-packet on the same chunks, in turns. Best of five rounds, to be free of what else the machine does.
 *
 *   node bench/mqtt-codec.ts [milliseconds a round]
 */
const ROUNDS = 5;
const CONNECTIONS = 100;
const PAYLOAD = new TextEncoder().encode('{"temperature":23.51,"humidity":61.20,"pressure":1013.25,"battery":3.9100}'.padEnd(75));

interface Connection {
  readonly chunk: Buffer;
  /** Decodes the chunk and returns the packets found in it. */
  readonly decode: (chunk: Buffer) => number;
}

const roundMs = Number(process.argv[2] ?? 500);
const topics = new TopicCache(10_000);
const results = [1, 20].map((packetsPerChunk) => {
  const [selsyn = 0, mqttPacket = 0] = bestRates([
    connections(packetsPerChunk, selsynDecoder),
    connections(packetsPerChunk, mqttPacketDecoder),
  ]);
  return {
    packetsPerChunk,
    selsynPerSec: Math.round(selsyn),
    mqttPacketPerSec: Math.round(mqttPacket),
    ratio: Number((selsyn / mqttPacket).toFixed(1)),
  };
});
process.stdout.write(
  `${JSON.stringify({ claim: 'mqtt-codec', machine: cpus()[0]?.model, node: process.version, payloadBytes: PAYLOAD.length, connections: CONNECTIONS, results }, undefined, 2)}\n`,
);

function connections(packetsPerChunk: number, makeDecode: () => Connection['decode']): readonly Connection[] {
  return Array.from({ length: CONNECTIONS }, (_, i) => {
    const topic = `telemetry/sensor${1000 + i}`;
    const packets = Array.from({ length: packetsPerChunk }, (_, n) =>
      encodePacket({ type: 'publish', topic, payload: PAYLOAD, qos: 1, packetId: n + 1 }, 4),
    );
    // Sockets give Buffers.
    return { chunk: Buffer.concat(packets), decode: makeDecode() };
  });
}

function selsynDecoder(): Connection['decode'] {
  const decoder = new PacketDecoder({ maxPacketBytes: 1_048_576, from: 'client', topics, version: 4 });
  return (chunk) => {
    let found = 0;
    decoder.feed(chunk);
    for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) {
      if (packet.type === 'publish' && packet.end - packet.start === PAYLOAD.length) found++;
    }
    return found;
  };
}

function mqttPacketDecoder(): Connection['decode'] {
  const oracle = parser({ protocolVersion: 4 });
  let found = 0;
  oracle.on('packet', (packet) => {
    if (packet.cmd === 'publish' && packet.payload.length === PAYLOAD.length) found++;
  });
  return (chunk) => {
    found = 0;
    oracle.parse(chunk);
    return found;
  };
}

/** The best of the rounds of each, which take turns. */
function bestRates(candidates: readonly (readonly Connection[])[]): readonly number[] {
  const best = candidates.map(() => 0);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, candidate] of candidates.entries()) best[i] = Math.max(best[i] ?? 0, rate(candidate));
  }
  return best;
}

function rate(all: readonly Connection[]): number {
  const start = performance.now();
  let found = 0;
  let elapsedMs = 0;
  while (elapsedMs < roundMs) {
    for (const connection of all) found += connection.decode(connection.chunk);
    elapsedMs = performance.now() - start;
  }
  return (found / elapsedMs) * 1000;
}
