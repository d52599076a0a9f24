import { encodePublish } from '@selsyn/wire/mqtt/publish-writer.ts';
import { describe, expect, it } from 'vitest';
import { MemoryTransport, settled } from './broker.fixture.ts';
import { BufferPool, LARGE_BUFFER_BYTES } from './buffer-pool.ts';
import { BrokerCounters } from './counters.ts';
import { Flusher } from './flusher.ts';
import { Outgoing } from './outgoing.ts';

function open(): { outgoing: Outgoing; transport: MemoryTransport; counters: BrokerCounters } {
  const transport = new MemoryTransport();
  const counters = new BrokerCounters();
  const outgoing = new Outgoing(transport, { pool: new BufferPool(), flusher: new Flusher(), counters });
  return { outgoing, transport, counters };
}

function publishOfSize(bytes: number, qos: 0 | 1): ReturnType<typeof encodePublish> {
  return encodePublish({ type: 'publish', topic: 't', payload: new Uint8Array(bytes).fill(0x61), qos }, 4);
}

describe('the bytes to a connection', () => {
  it('are written once a turn, in order', async () => {
    const { outgoing, transport, counters } = open();
    outgoing.ack('puback', 1);
    outgoing.packet(Uint8Array.of(0xd0, 0));
    outgoing.ack('pubcomp', 0x1234);
    expect([transport.chunks.length, outgoing.backlogBytes]).toEqual([0, 10]);
    await settled();
    expect(transport.chunks).toEqual([Uint8Array.of(0x40, 2, 0, 1, 0xd0, 0, 0x70, 2, 0x12, 0x34)]);
    outgoing.ack('pubrel', 2);
    await settled();
    expect([transport.chunks.length, counters.bytesSent, outgoing.backlogBytes]).toEqual([2, 14, 0]);
  });

  it.each([100, 2_000, 5_000, 20_000])('keep their order around a message of %i bytes', async (size) => {
    const { outgoing, transport } = open();
    const expected: Uint8Array[] = [];
    for (let id = 1; id <= 40; id++) {
      const encoded = publishOfSize(size, id % 2 === 0 ? 1 : 0);
      outgoing.ack('puback', id);
      outgoing.publish(encoded, id % 2 === 0 ? id : 0);
      const bytes = Uint8Array.from(encoded.bytes);
      if (encoded.packetIdAt >= 0) bytes[encoded.packetIdAt + 1] = id;
      expected.push(Uint8Array.of(0x40, 2, 0, id), bytes);
    }
    expect(outgoing.backlogBytes).toBeLessThanOrEqual(LARGE_BUFFER_BYTES);
    await settled();
    expect(Buffer.concat(transport.chunks).equals(Buffer.concat(expected))).toBe(true);
  });

  it('hold a large message once, however many connections it goes to', async () => {
    const encoded = publishOfSize(500_000, 1);
    const kept: Uint8Array[] = [];
    const opened = Array.from({ length: 100 }, () => open());
    for (const { transport } of opened) {
      transport.write = (bytes) => {
        kept.push(bytes);
        return false;
      };
    }
    for (const [i, { outgoing }] of opened.entries()) outgoing.publish(encoded, i + 1);
    await settled();
    const heldBytes = new Set(kept.map(({ buffer }) => buffer));
    expect([...heldBytes].reduce((sum, { byteLength }) => sum + byteLength, 0)).toBeLessThan(1_000_000);
    expect(kept.reduce((sum, { length }) => sum + length, 0)).toBe(100 * encoded.bytes.length);
  });

  it('are not written over while the transport still refers to them', async () => {
    const kept: Uint8Array[] = [];
    const transport = new MemoryTransport();
    transport.write = (bytes) => {
      kept.push(bytes);
      return false;
    };
    const outgoing = new Outgoing(transport, { pool: new BufferPool(), flusher: new Flusher(), counters: new BrokerCounters() });
    for (let id = 1; id <= 3; id++) {
      outgoing.ack('puback', id);
      await settled();
    }
    expect(kept.map((bytes) => bytes[3])).toEqual([1, 2, 3]);
  });
});
