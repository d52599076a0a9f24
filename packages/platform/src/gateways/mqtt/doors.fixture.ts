import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Door, TransportListener } from '../../broker/transport.ts';
import { type Clock, systemClock } from '../../kernel/clock.ts';
import { silentLogLines } from '../../kernel/log-lines.ts';
import { type DoorPorts, type DoorSettings, MqttGateway } from './mqtt-gateway.ts';
import type { PeekableTransport } from './peekable-transport.ts';

/** Any free port of the loopback interface. */
export const FREE = { host: '127.0.0.1', port: 0 } as const;

/** What the one who is behind the doors sees of a connection. */
export class Admitted implements TransportListener {
  readonly transport: PeekableTransport;
  readonly door: Door;
  text = '';
  drains = 0;
  ended = false;
  closed = false;

  constructor(transport: PeekableTransport) {
    this.transport = transport;
    this.door = transport.door;
  }

  onData(chunk: Uint8Array): void {
    this.text += Buffer.from(chunk).toString('latin1');
  }

  onDrain(): void {
    this.drains++;
  }

  onEnd(): void {
    this.ended = true;
  }

  onClose(): void {
    this.closed = true;
  }
}

export interface TestDoors extends AsyncDisposable {
  readonly gateway: MqttGateway;
  readonly ports: Required<DoorPorts>;
  readonly admitted: Admitted[];
  /** Waits for the nth connection that came through, from 0. */
  nth(index: number): Promise<Admitted>;
}

/** Doors with nobody but the test behind them. */
export async function openDoors(
  doors: DoorSettings,
  options: { readonly clock?: Clock; readonly maxSockets?: number; readonly maxPacketBytes?: number } = {},
): Promise<TestDoors> {
  const admitted: Admitted[] = [];
  let onNews = (): void => {};
  const gateway = new MqttGateway({
    accept: (transport) => {
      const one = new Admitted(transport);
      admitted.push(one);
      transport.attach(one);
      onNews();
    },
    doors,
    reusePort: false,
    maxSockets: options.maxSockets ?? 100,
    maxPacketBytes: options.maxPacketBytes ?? 1_048_576,
    clock: options.clock ?? systemClock,
    logLines: silentLogLines,
  });
  const ports = await gateway.start();
  return {
    gateway,
    ports: { tcp: 0, tls: 0, ws: 0, wss: 0, ...ports },
    admitted,
    nth: async (index) => {
      const signal = AbortSignal.timeout(30_000);
      for (;;) {
        const one = admitted[index];
        if (one !== undefined) return one;
        await new Promise<void>((resolve, reject) => {
          onNews = resolve;
          signal.addEventListener('abort', () => reject(new Error(`only ${admitted.length} connections came through`)), {
            once: true,
          });
        });
      }
    },
    [Symbol.asyncDispose]: async () => {
      await gateway.close();
      for (const { transport } of admitted) transport.destroy();
    },
  };
}

/** A TCP client that keeps what it gets. */
export class RawClient {
  readonly socket: Socket;
  text = '';
  ended = false;
  closed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => (this.text += chunk.toString('latin1')));
    socket.on('end', () => (this.ended = true));
    socket.on('close', () => (this.closed = true));
    socket.on('error', () => {});
  }

  static async open(port: number): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  /** Sends the pieces one by one, so that they arrive in reads of their own. */
  async sendSlowly(pieces: Iterable<Uint8Array>): Promise<void> {
    for (const piece of pieces) {
      this.socket.write(piece);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}
