import type { Socket } from 'node:net';
import type { ClientCertificate } from '../../broker/authorizer.ts';
import type { Door, TransportListener } from '../../broker/transport.ts';
import { clientCertificateOf } from './client-certificate.ts';
import type { PeekableTransport } from './peekable-transport.ts';

/** MQTT over a TCP, TLS or Unix socket. It was made with `allowHalfOpen`, so that its two directions end one by one. */
export class SocketTransport implements PeekableTransport {
  readonly door: Door;
  readonly #socket: Socket;
  readonly #clientAddress: string | undefined;

  /** `clientAddress`: what a proxy has told. */
  constructor(socket: Socket, door: Door, clientAddress?: string) {
    this.#socket = socket;
    this.door = door;
    this.#clientAddress = clientAddress;
  }

  get remoteAddress(): string {
    return this.#clientAddress ?? this.#socket.remoteAddress ?? '';
  }

  /** Read from the TLS session each time: it is asked for once, and the session has it anyway. */
  get certificate(): ClientCertificate | undefined {
    return clientCertificateOf(this.#socket);
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
    const idle = socket.writableLength === 0;
    socket.write(bytes);
    // TLS has encrypted or copied what reached its handle when `write` returns (node's TLSWrap::DoWrite), and all reaches it at
    // once where nothing waited before. TCP: the kernel took it all at once, as it does nearly always.
    return this.door === 'tls' ? idle : socket.writableLength === 0;
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
    const isFirst = socket[LISTENER] === undefined;
    socket[LISTENER] = listener;
    if (!isFirst) return;
    socket.on('data', onData);
    socket.on('drain', onDrain);
    socket.on('end', onEnd);
    // `close` always follows an error, and says all that matters: the connection is lost.
    socket.on('error', ignore);
    socket.on('close', onClose);
    // It was paused if a header had to be taken off first.
    socket.resume();
  }

  replay(bytes: Uint8Array): void {
    const socket: ListenedSocket = this.#socket;
    socket[LISTENER]?.onData(bytes);
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
