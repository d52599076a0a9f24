import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { ClientCertificate } from '../../broker/authorizer.ts';
import type { Door, TransportListener } from '../../broker/transport.ts';
import { clientCertificateOf } from './client-certificate.ts';
import type { PeekableTransport } from './peekable-transport.ts';
import type { FramedInput } from './slow-frames.ts';

/** MQTT over WebSocket: each write is one binary frame [MQTT-6.0.0-1], and a message's bytes may end anywhere [MQTT-6.0.0-2]. */
export class WebSocketTransport implements PeekableTransport, FramedInput {
  readonly door: Door;
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  readonly #clientAddress: string | undefined;
  #listener: TransportListener | undefined;
  #paused = false;
  /** What came in the same chunk as the message at which it was paused: at most one chunk's worth. */
  readonly #held: Buffer[] = [];
  /** The WebSocket is closed, and the listener is not told before it has what is held. */
  #closedBehindHeld = false;
  /** A frame that MQTT does not have came: nothing after it counts. */
  #broken = false;
  messages = 0;
  /** Of the socket, and those of them that made up whole messages. */
  #receivedBytes = 0;
  #takenBytes = 0;

  constructor(options: {
    readonly webSocket: WebSocket;
    /** The socket, or TLS socket, under it. */
    readonly socket: Socket;
    readonly door: 'ws' | 'wss';
    readonly clientAddress: string | undefined;
  }) {
    this.#webSocket = options.webSocket;
    this.#socket = options.socket;
    this.door = options.door;
    this.#clientAddress = options.clientAddress;
  }

  get paused(): boolean {
    return this.#paused;
  }

  get partialBytes(): number {
    return this.#receivedBytes - this.#takenBytes;
  }

  get remoteAddress(): string {
    return this.#clientAddress ?? this.#socket.remoteAddress ?? '';
  }

  get certificate(): ClientCertificate | undefined {
    return clientCertificateOf(this.#socket);
  }

  get backlogBytes(): number {
    return this.#webSocket.bufferedAmount;
  }

  get congested(): boolean {
    return this.#socket.writableNeedDrain;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#webSocket.readyState !== OPEN) return true;
    const idle = this.#socket.writableLength === 0;
    this.#webSocket.send(bytes, BINARY);
    // As in SocketTransport: frame head and bytes go to the socket together, unmasked and uncopied.
    return this.door === 'wss' ? idle : this.#socket.writableLength === 0;
  }

  pause(): void {
    this.#paused = true;
    this.#webSocket.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#deliverHeld();
    if (!this.#paused) this.#webSocket.resume();
  }

  /** After what was written goes a Close frame; the client answers it and the connection ends (RFC 6455, section 7.1.1). */
  end(): void {
    this.#webSocket.close(NORMAL_CLOSURE);
  }

  destroy(): void {
    this.#held.length = 0;
    if (this.#closedBehindHeld) this.#deliverHeld();
    else this.#webSocket.terminate();
  }

  attach(listener: TransportListener): void {
    const isFirst = this.#listener === undefined;
    this.#listener = listener;
    if (!isFirst) return;
    // Before the WebSocket has them.
    this.#socket.prependListener('data', (chunk: Uint8Array) => (this.#receivedBytes += chunk.length));
    this.#webSocket.on('message', (data: Buffer, isBinary) => this.#take(data, isBinary));
    this.#webSocket.on('ping', (data: Buffer) => (this.#takenBytes += CONTROL_FRAME_HEAD_BYTES + data.length));
    this.#webSocket.on('pong', (data: Buffer) => (this.#takenBytes += CONTROL_FRAME_HEAD_BYTES + data.length));
    // `close` always follows an error.
    this.#webSocket.on('error', () => {});
    this.#webSocket.on('close', () => {
      this.#closedBehindHeld = true;
      if (!this.#paused || this.#held.length === 0) this.#deliverHeld();
    });
    this.#socket.on('drain', () => this.#listener?.onDrain());
  }

  endSlow(): void {
    this.#broken = true;
    this.#webSocket.close(POLICY_VIOLATION);
    this.#listener?.onEnd();
  }

  replay(bytes: Uint8Array): void {
    this.#listener?.onData(bytes);
  }

  #take(data: Buffer, isBinary: boolean): void {
    if (this.#broken) return;
    this.messages++;
    this.#takenBytes = this.#receivedBytes;
    if (!isBinary) {
      // Data frames of another type end the connection [MQTT-6.0.0-1].
      this.#broken = true;
      this.#webSocket.close(UNSUPPORTED_DATA);
      this.#listener?.onEnd();
    } else if (this.#paused) this.#held.push(data);
    else this.#listener?.onData(data);
  }

  #deliverHeld(): void {
    while (!this.#paused) {
      const data = this.#held.shift();
      if (data === undefined) break;
      this.#listener?.onData(data);
    }
    if (this.#closedBehindHeld && this.#held.length === 0) {
      this.#closedBehindHeld = false;
      this.#listener?.onClose();
    }
  }
}

const OPEN = 1;
const NORMAL_CLOSURE = 1000;
const UNSUPPORTED_DATA = 1003;
const POLICY_VIOLATION = 1008;
/** Of a client: with its mask (RFC 6455, section 5.2). */
const CONTROL_FRAME_HEAD_BYTES = 6;
const BINARY = { binary: true, compress: false } as const;
