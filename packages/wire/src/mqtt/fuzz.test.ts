import fc from 'fast-check';
import { expect, test } from 'vitest';
import { arbitraryConnect, arbitraryPacket } from './arbitrary-packets.ts';
import { feed, newDecoder } from './decode-all.ts';
import type { PacketDecoderOptions } from './decoder.ts';
import { encodePacket } from './encoder.ts';
import { MqttError } from './mqtt-error.ts';
import { fromHex, PACKET_VECTORS } from './packet-vectors.ts';
import type { OutgoingPacket, ProtocolVersion } from './packets.ts';

/** Each takes a few microseconds. More of them: SELSYN_FUZZ_ITERATIONS=10000000. */
const ITERATIONS = Number(process.env['SELSYN_FUZZ_ITERATIONS'] ?? 60_000);
/** The same in every run; others: SELSYN_SEED=random. */
const SEED = Number(process.env['SELSYN_SEED'] ?? 1);
const MAX_PACKET_BYTES = 4096;

const OPTIONS: readonly Partial<PacketDecoderOptions>[] = [
  { from: 'client' },
  ...([4, 5] as const).flatMap((version) => [
    { from: 'client' as const, version },
    { from: 'server' as const, version },
  ]),
];

/** A generator of 32-bit numbers (mulberry32): the same ones for the same seed. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/** Decodes in two chunks. What was accepted must be sendable, and come back equal: nothing invalid was let in. */
function decodeHostile(bytes: Uint8Array, options: Partial<PacketDecoderOptions>, cutAt: number): number {
  const decoder = newDecoder({ ...options, maxPacketBytes: MAX_PACKET_BYTES });
  let accepted = 0;
  for (const chunk of [bytes.subarray(0, cutAt), bytes.subarray(cutAt)]) {
    let packets: readonly OutgoingPacket[];
    try {
      packets = feed(decoder, chunk);
    } catch (error) {
      if (!(error instanceof MqttError)) throw error;
      expect(error.reasonCode).toBeGreaterThanOrEqual(0x80);
      expect(error.clause).toMatch(/^\[MQTT-\d+(\.\d+)+(-\d+)?\]$/);
      return accepted;
    }
    for (const packet of packets) {
      accepted++;
      expectSendable(packet, decoder.version, options);
    }
    expect(decoder.bufferedBytes).toBeLessThan(MAX_PACKET_BYTES);
  }
  return accepted;
}

function expectSendable(packet: OutgoingPacket, version: ProtocolVersion, options: Partial<PacketDecoderOptions>): void {
  const again = encodePacket(packet, version);
  expect(feed(newDecoder(packet.type === 'connect' ? { from: 'client' } : { ...options, version }), again)).toEqual([packet]);
}

const SEEDS: readonly Uint8Array[] = [
  ...PACKET_VECTORS.map((vector) => fromHex(vector.hex)),
  ...([4, 5] as const).flatMap((version) => [
    ...fc.sample(arbitraryConnect(version), { numRuns: 20, seed: 1 }).map((packet) => encodePacket(packet, version)),
    ...fc.sample(arbitraryPacket(version, 'client'), { numRuns: 40, seed: 2 }).map((packet) => encodePacket(packet, version)),
    ...fc.sample(arbitraryPacket(version, 'server'), { numRuns: 40, seed: 3 }).map((packet) => encodePacket(packet, version)),
  ]),
].filter((bytes) => bytes.length < MAX_PACKET_BYTES);

function mutate(bytes: Uint8Array, random: () => number): Uint8Array {
  let mutant = Buffer.from(bytes);
  for (let changes = 1 + (random() % 3); changes > 0; changes--) {
    const at = mutant.length === 0 ? 0 : random() % mutant.length;
    switch (random() % 6) {
      case 0:
        mutant[at] = random();
        break;
      case 1:
        mutant[at]! ^= 1 << (random() % 8);
        break;
      case 2:
        mutant = mutant.subarray(0, at);
        break;
      case 3:
        mutant = Buffer.concat([mutant.subarray(0, at), Uint8Array.of(random()), mutant.subarray(at)]);
        break;
      case 4:
        mutant = Buffer.concat([mutant.subarray(0, at), mutant.subarray(at + 1)]);
        break;
      default:
        mutant = Buffer.concat([mutant, SEEDS[random() % SEEDS.length] ?? bytes]);
    }
  }
  // Half of them announce their true length, so that the change is seen by more than the framing.
  if (random() % 2 === 0 && mutant.length >= 2 && mutant.length < 130) mutant[1] = mutant.length - 2;
  return mutant;
}

test('changed packets are refused with an MqttError or mean what they say', () => {
  const random = randomNumbers(SEED);
  let accepted = 0;
  for (let i = 0; i < ITERATIONS; i++) {
    const mutant = mutate(SEEDS[random() % SEEDS.length] ?? new Uint8Array(0), random);
    const options = OPTIONS[random() % OPTIONS.length] ?? {};
    try {
      accepted += decodeHostile(mutant, options, random() % (mutant.length + 1));
    } catch (error) {
      throw new Error(`Iteration ${i}, ${JSON.stringify(options)}: ${Buffer.from(mutant).toString('hex')}`, { cause: error });
    }
  }
  // The mutants reach what is behind the framing.
  expect(accepted).toBeGreaterThan(ITERATIONS / 20);
}, 3_600_000);

test('random bytes are refused with an MqttError or mean what they say', () => {
  const random = randomNumbers(SEED + 1);
  for (let i = 0; i < ITERATIONS; i++) {
    const bytes = Uint8Array.from({ length: 1 + (random() % 40) }, random);
    if (random() % 2 === 0 && bytes.length >= 2) bytes[1] = bytes.length - 2;
    const options = OPTIONS[random() % OPTIONS.length] ?? {};
    try {
      decodeHostile(bytes, options, random() % (bytes.length + 1));
    } catch (error) {
      throw new Error(`Iteration ${i}, ${JSON.stringify(options)}: ${Buffer.from(bytes).toString('hex')}`, { cause: error });
    }
  }
}, 3_600_000);
