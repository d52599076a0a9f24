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
    const socket: ListenedSocket = this.#socket;
    socket[LISTENER] = listener;
    socket.on('data', onData);
    socket.on('drain', onDrain);
    socket.on('end', onEnd);
    // `close` always follows an error, and says all that matters: the connection is lost.
    socket.on('error', ignore);
    socket.on('close', onClose);
  }
}

/** The listener stands on the socket, so that all sockets share their handlers: idle connections are many. */
const LISTENER = Symbol('listener');
type ListenedSocket = Socket & { [LISTENER]?: TransportListener };

function onData(this: ListenedSocket, chunk: Uint8Array): void {
  this[LISTENER]?.onData(chunk);
}

function onDrain(this: ListenedSocket): void {
  this[LISTENER]?.onDrain();
}

function onEnd(this: ListenedSocket): void {
  this[LISTENER]?.onEnd();
}

function onClose(this: ListenedSocket): void {
  this[LISTENER]?.onClose();
}

function ignore(): void {
  return;
}
