import type { Socket } from 'node:net';
import type { Transport, TransportListener } from '../../broker/transport.ts';

/** MQTT over a TCP socket. The socket was made with `allowHalfOpen`, so that its two directions end one by one. */
export class SocketTransport implements Transport {
  readonly #socket: Socket;
  readonly certificate = undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress ?? '';
  }

  get backlogBytes(): number {
    return this.#socket.writableLength;
  }

  get congested(): boolean {
    return this.#socket.writableNeedDrain;
  }

  write(bytes: Uint8Array): boolean {
    const socket = this.#socket;
    if (!socket.writable) return true;
    socket.write(bytes);
    // The kernel took it all at once, as it does nearly always: then nothing refers to the bytes any more.
    return socket.writableLength === 0;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    if (!this.#socket.writableEnded) this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  attach(listener: TransportListener): void {
    const socket = this.#socket;
    socket.on('data', (chunk) => listener.onData(chunk));
    socket.on('drain', () => listener.onDrain());
    socket.on('end', () => listener.onEnd());
    // `close` always follows an error, and says all that matters: the connection is lost.
    socket.on('error', ignore);
    socket.on('close', () => listener.onClose());
  }
}

function ignore(): void {
  return;
}
