import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Transport, TransportListener } from '../../broker/transport.ts';

/** Where clients connect to, and the transports that come of it. */
export interface TransportHarness extends AsyncDisposable {
  readonly port: number;
  /** Called for each transport that is to be served. */
  onTransport: (transport: Transport) => void;
}

/** Serves a transport as it is told, and writes down what comes. */
export class RecordingServer implements TransportListener {
  readonly transport: Transport;
  readonly chunks: Uint8Array[] = [];
  readonly events: string[] = [];
  onChunk: () => void = () => {};

  constructor(transport: Transport) {
    this.transport = transport;
    transport.attach(this);
  }

  get received(): Buffer {
    return Buffer.concat(this.chunks);
  }

  get receivedBytes(): number {
    return this.chunks.reduce((sum, { length }) => sum + length, 0);
  }

  onData(chunk: Uint8Array): void {
    this.chunks.push(chunk);
    this.onChunk();
  }
  onDrain(): void {
    this.events.push('drain');
  }
  onEnd(): void {
    this.events.push(`end after ${this.receivedBytes}`);
  }
  onClose(): void {
    this.events.push('close');
  }
}

/** Bytes of which no part looks like another. */
export function patternOf(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed;
  for (let i = 0; i + 4 <= length; i += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes.writeInt32LE(state, i);
  }
  return bytes;
}

/** What the broker expects of every transport. */
export function transportContract(name: string, openHarness: () => Promise<TransportHarness>): void {
  describe(`a transport over ${name}`, () => {
    let harness: TransportHarness;
    const clients: Socket[] = [];

    beforeEach(async () => {
      harness = await openHarness();
    });
    afterEach(async () => {
      for (const client of clients.splice(0)) client.destroy();
      await harness[Symbol.asyncDispose]();
    });

    /** A client that has said `first`, and its server's side. */
    async function open(first = 'hello'): Promise<{ client: Socket; server: RecordingServer }> {
      const accepted = new Promise<RecordingServer>((resolve) => {
        harness.onTransport = (transport) => resolve(new RecordingServer(transport));
      });
      const client = connect({ port: harness.port, host: '127.0.0.1', allowHalfOpen: true });
      client.on('error', () => {});
      clients.push(client);
      client.write(first);
      const server = await accepted;
      await expect.poll(() => server.received.toString()).toBe(first);
      return { client, server };
    }

    function collect(client: Socket): { bytes: () => Buffer; ended: () => boolean } {
      const chunks: Buffer[] = [];
      let ended = false;
      client.on('data', (chunk: Buffer) => chunks.push(chunk));
      client.on('end', () => (ended = true));
      return { bytes: () => Buffer.concat(chunks), ended: () => ended };
    }

    it('carries bytes both ways, in order, and says who the client is', async () => {
      const { client, server } = await open();
      const got = collect(client);
      expect([server.transport.door, server.transport.remoteAddress, server.transport.certificate]).toEqual([
        'tcp',
        '127.0.0.1',
        undefined,
      ]);
      const [up, down] = [patternOf(3_000_000), patternOf(1_000_000, 2)];
      for (let at = 0; at < up.length; at += 7_001) client.write(up.subarray(at, at + 7_001));
      for (let at = 0; at < down.length; at += 3_001) server.transport.write(Buffer.from(down.subarray(at, at + 3_001)));
      await expect.poll(() => server.receivedBytes).toBe(up.length + 5);
      expect(server.received.subarray(5).equals(up)).toBe(true);
      await expect.poll(() => got.bytes().length).toBe(down.length);
      expect(got.bytes().equals(down)).toBe(true);
      expect(server.events.filter((event) => event !== 'drain')).toEqual([]);
    });

    it('no longer refers to bytes when write says so', async () => {
      const { client, server } = await open();
      const got = collect(client);
      const bytes = Buffer.from('first');
      if (server.transport.write(bytes)) bytes.write('wrong');
      await expect.poll(() => got.bytes().toString()).toBe('first');
    });

    it('gives no data while it is paused, though the pause comes from within, and all of it after', async () => {
      const { client, server } = await open();
      const up = patternOf(500_000);
      server.onChunk = () => server.transport.pause();
      for (let at = 0; at < up.length; at += 10_000) client.write(up.subarray(at, at + 10_000));
      await expect.poll(() => server.chunks.length).toBe(2);
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(server.chunks.length).toBe(2);
      // One chunk for each resume, each paused again from within.
      for (let chunks = 2; chunks < 5; chunks++) {
        server.transport.resume();
        await expect.poll(() => server.chunks.length).toBe(chunks + 1);
      }
      server.onChunk = () => {};
      server.transport.resume();
      await expect.poll(() => server.receivedBytes).toBe(up.length + 5);
      expect(server.received.subarray(5).equals(up)).toBe(true);
    });

    it('leaves what a paused reader does not take with the client', async () => {
      const { client, server } = await open();
      server.transport.pause();
      const up = patternOf(40_000_000);
      client.write(up);
      let before = -1;
      await expect
        .poll(
          () => {
            const same = before === client.bytesWritten - client.writableLength;
            before = client.bytesWritten - client.writableLength;
            return same;
          },
          { interval: 100 },
        )
        .toBe(true);
      expect(client.writableLength).toBeGreaterThan(0);
      expect(server.receivedBytes).toBe(5);
      server.transport.resume();
      await expect.poll(() => server.receivedBytes).toBe(up.length + 5);
      expect(server.received.subarray(5).equals(up)).toBe(true);
    });

    it('is congested by a client that does not read, and drained once it does', async () => {
      const { client, server } = await open();
      const { transport } = server;
      client.pause();
      const part = patternOf(100_000);
      let parts = 0;
      while (!transport.congested || parts < 200) {
        if (++parts > 1_000) throw new Error('never congested');
        transport.write(Buffer.from(part));
        if (parts % 10 === 0) await new Promise(setImmediate);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect([transport.congested, server.events]).toEqual([true, []]);
      expect(transport.backlogBytes).toBeGreaterThan(1_000_000);
      let bytes = 0;
      client.on('data', (chunk) => (bytes += chunk.length));
      client.resume();
      await expect.poll(() => bytes).toBe(parts * part.length);
      await expect.poll(() => server.events).toEqual(['drain']);
      expect([transport.congested, transport.backlogBytes]).toEqual([false, 0]);
    });

    it('sends all before it ends, and reads on until the client ends too', async () => {
      const { client, server } = await open();
      const got = collect(client);
      const down = patternOf(2_000_000);
      server.transport.write(down);
      server.transport.end();
      server.transport.end();
      await expect.poll(() => got.ended()).toBe(true);
      expect(got.bytes().equals(down)).toBe(true);
      client.write('more');
      await expect.poll(() => server.received.toString()).toBe('hellomore');
      client.end();
      await expect.poll(() => server.events.filter((event) => event !== 'drain')).toEqual(['end after 9', 'close']);
    });

    it('tells that the client ended only after all that it sent, also where it was paused', async () => {
      const { client, server } = await open();
      server.transport.pause();
      client.end(patternOf(30_000));
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(server.events).toEqual([]);
      server.transport.resume();
      await expect.poll(() => server.events).toEqual(['end after 30005']);
      server.transport.end();
      await expect.poll(() => server.events).toEqual(['end after 30005', 'close']);
    });

    it('destroys both directions at once', async () => {
      const { client, server } = await open();
      const closed = once(client, 'close');
      client.on('end', () => client.end());
      client.resume();
      server.transport.destroy();
      server.transport.destroy();
      await closed;
      await expect.poll(() => server.events).toEqual(['close']);
      server.transport.write(Buffer.from('x'));
      server.transport.pause();
      server.transport.resume();
      server.transport.end();
    });

    it('tells once that a client is gone', async () => {
      const { client, server } = await open();
      client.resetAndDestroy();
      await expect.poll(() => server.events.at(-1)).toBe('close');
      server.transport.destroy();
      await new Promise((resolve) => setTimeout(resolve, 10));
      expect(server.events.filter((event) => event === 'close')).toEqual(['close']);
    });
  });
}
