import { arbitraryConnect, arbitraryPacket } from '@selsyn/wire/mqtt/arbitrary-packets.ts';
import { feed, newDecoder } from '@selsyn/wire/mqtt/decode-all.ts';
import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import { fromHex, PACKET_VECTORS } from '@selsyn/wire/mqtt/packet-vectors.ts';
import type { OutgoingPacket, ProtocolVersion } from '@selsyn/wire/mqtt/packets.ts';
import fc from 'fast-check';
import type { Random } from '../harness/random.ts';

const LONGEST_SEED = 400;
const RETAIN_FLAG = 0x01;
const PUBLISH = 0x30;

/** Packets of one version to begin with: written by hand, arbitrary valid ones, and steps of QoS 2 exchanges. */
function seedsOf(version: ProtocolVersion, seed: number): readonly Uint8Array[] {
  const sample = (from: 'client' | 'server', numRuns: number): OutgoingPacket[] =>
    fc.sample(arbitraryPacket(version, from), { numRuns, seed });
  const packets: OutgoingPacket[] = [
    ...sample('client', 600),
    ...sample('server', 60),
    ...fc.sample(arbitraryConnect(version), { numRuns: 60, seed }),
    ...[1, 2, 3].flatMap((packetId): OutgoingPacket[] => [
      { type: 'publish', topic: 'fuzz/a', payload: Buffer.from('x'), qos: 2, packetId },
      { type: 'publish', topic: 'fuzz/a', payload: Buffer.from('x'), qos: 2, packetId, dup: true },
      { type: 'publish', topic: 'fuzz/b', payload: Buffer.from('y'), qos: 1, packetId },
      { type: 'pubrec', packetId, reasonCode: 0 },
      { type: 'pubrel', packetId, reasonCode: 0 },
      { type: 'pubcomp', packetId, reasonCode: 0 },
      { type: 'puback', packetId, reasonCode: 0 },
    ]),
  ];
  return [
    ...PACKET_VECTORS.filter((vector) => vector.version === version).map(({ hex }) => fromHex(hex)),
    ...packets.map((packet) => encodePacket(packet, version)),
  ].filter((bytes) => bytes.length <= LONGEST_SEED);
}

/**
 * Packets of one version that were changed, made before the run so that it has only to send them. `lasting` ones still are packets
 * that a client may send; behind any other the connection is likely to be over.
 */
export class Mutants {
  readonly lasting: readonly Uint8Array[];
  readonly ending: readonly Uint8Array[];

  constructor(version: ProtocolVersion, random: Random, count: number) {
    const seeds = seedsOf(version, random.u32() | 0);
    const all = Array.from({ length: count }, () => mutate(random.pick(seeds), seeds, random));
    this.lasting = all.filter((mutant) => isLasting(mutant, version));
    this.ending = all.filter((mutant) => !isLasting(mutant, version));
  }
}

function isLasting(bytes: Uint8Array, version: ProtocolVersion): boolean {
  const decoder = newDecoder({ from: 'client', version });
  try {
    return feed(decoder, bytes).every((packet) => maySend(packet)) && decoder.bufferedBytes === 0;
  } catch {
    return false;
  }
}

function maySend(packet: OutgoingPacket): boolean {
  if (packet.type === 'connect' || packet.type === 'disconnect' || packet.type === 'auth') return false;
  return packet.type !== 'publish' || packet.properties?.topicAlias === undefined;
}

/** Changed, cut, grown, spliced or left as it is. */
function mutate(bytes: Uint8Array, seeds: readonly Uint8Array[], random: Random): Uint8Array {
  let mutant = Buffer.from(bytes);
  for (let changes = random.below(4); changes > 0; changes -= 1) {
    const at = mutant.length === 0 ? 0 : random.below(mutant.length);
    // The rear is where it is not the framing that breaks.
    const rear = Math.min(mutant.length - 1, 2 + random.below(Math.max(1, mutant.length - 2)));
    switch (random.below(8)) {
      case 0:
        if (rear >= 0) mutant[rear] = random.u32();
        break;
      case 1:
        if (rear >= 0) mutant[rear] = (mutant[rear] ?? 0) ^ (1 << random.below(8));
        break;
      case 2:
        if (mutant.length > 0) mutant[at] = random.u32();
        break;
      case 3:
        mutant = mutant.subarray(0, at);
        break;
      case 4:
        mutant = Buffer.concat([mutant.subarray(0, at), Uint8Array.of(random.u32()), mutant.subarray(at)]);
        break;
      case 5:
        mutant = Buffer.concat([mutant.subarray(0, at), mutant.subarray(at + 1)]);
        break;
      case 6: {
        const other = random.pick(seeds);
        mutant = Buffer.concat([mutant.subarray(0, at), other.subarray(random.below(other.length + 1))]);
        break;
      }
      default:
        mutant = Buffer.concat([mutant, random.pick(seeds)]);
    }
  }
  // Most announce their true length, so that the change is seen by more than the framing.
  if (!random.oneIn(5) && mutant.length >= 2 && mutant.length < 130) mutant[1] = mutant.length - 2;
  const first = mutant[0];
  // Retained messages stay: few of them, or what they take looks like a leak.
  if (first !== undefined && (first & 0xf1) === (PUBLISH | RETAIN_FLAG) && !random.oneIn(50)) mutant[0] = first & ~RETAIN_FLAG;
  return mutant;
}
