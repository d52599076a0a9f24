import type { Transport, TransportListener } from '../../broker/transport.ts';
import { FrameKind } from './relay-frames.ts';
import type { RelayLink } from './relay-link.ts';

/**
 * The near end of a relayed connection: listens to the client's transport and sends on what it hears.
 *
 * It reads no further ahead of the broker than a window, and not at all while the broker or the link wants it to wait. What goes to
 * the client waits in its transport, and counts as unsent at the home end until that transport is below its mark.
 */
export class RelaySource implements TransportListener {
  readonly #link: RelayLink;
  readonly #connection: number;
  readonly #transport: Transport;
  /** Bytes of input that the broker has not taken. */
  #aheadBytes = 0;
  /** Bytes of output that the home end does not know to be sent. */
  #unreportedBytes = 0;
  #held = false;
  #paused = false;

  constructor(link: RelayLink, connection: number, transport: Transport) {
    this.#link = link;
    this.#connection = connection;
    this.#transport = transport;
  }

  onData(chunk: Uint8Array): void {
    this.#aheadBytes += chunk.length;
    this.#link.sendData(FrameKind.input, this.#connection, chunk);
    this.checkPause();
  }

  onDrain(): void {
    this.report();
  }

  onEnd(): void {
    this.#link.send(FrameKind.inputEnded, this.#connection);
  }

  onClose(): void {
    this.#link.forgetSource(this.#connection);
  }

  /** The broker took so much. */
  taken(bytes: number): void {
    this.#aheadBytes -= bytes;
    this.checkPause();
  }

  /** The broker wants to read, or not. */
  hold(held: boolean): void {
    this.#held = held;
    this.checkPause();
  }

  /** Pauses and resumes the transport as it should be now. */
  checkPause(): void {
    const full = this.#aheadBytes >= (this.#paused ? WINDOW_BYTES / 2 : WINDOW_BYTES);
    const paused = this.#held || full || this.#link.congested;
    if (paused === this.#paused) return;
    this.#paused = paused;
    if (paused) this.#transport.pause();
    else this.#transport.resume();
  }

  /** Hands bytes to the transport. They are copied: it may keep them for long, and they lie in a batch of many. */
  output(bytes: Uint8Array): void {
    this.#unreportedBytes += bytes.length;
    this.#transport.write(Buffer.from(bytes));
  }

  /** Tells the home end what is sent, unless the transport is behind: then it does so when that has drained. */
  report(): void {
    if (this.#unreportedBytes === 0 || this.#transport.congested) return;
    this.#link.send(FrameKind.sent, this.#connection, this.#unreportedBytes);
    this.#unreportedBytes = 0;
  }

  /** Ends the direction to the client; what it still sends is read. */
  end(): void {
    this.#transport.end();
  }

  destroy(): void {
    this.#transport.destroy();
  }
}

/** Input that may be under way to the broker, or wait there. */
const WINDOW_BYTES = 65_536;
