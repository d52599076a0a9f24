import type { ClientCertificate } from '../../broker/authorizer.ts';
import type { Door, Transport, TransportListener } from '../../broker/transport.ts';
import type { PeekableTransport } from './peekable-transport.ts';

/** A transport without a socket: the test is the client. */
export class FakeTransport implements PeekableTransport {
  readonly door: Door;
  readonly remoteAddress: string;
  readonly certificate: ClientCertificate | undefined;
  backlogBytes = 0;
  congested = false;
  paused = false;
  /** What the server did, but for the bytes. */
  readonly calls: string[] = [];
  readonly written: Uint8Array[] = [];
  #listener: TransportListener | undefined;
  #closed = false;

  constructor(client: { door?: Door; remoteAddress?: string; certificate?: ClientCertificate } = {}) {
    this.door = client.door ?? 'tcp';
    this.remoteAddress = client.remoteAddress ?? '192.0.2.1';
    this.certificate = client.certificate;
  }

  get text(): string {
    return Buffer.concat(this.written).toString();
  }

  get attached(): TransportListener | undefined {
    return this.#listener;
  }

  /** The client sends. */
  send(bytes: Uint8Array | string): void {
    if (!this.#closed) this.#listener?.onData(Buffer.from(bytes));
  }

  clientEnds(): void {
    this.#listener?.onEnd();
  }

  /** All that was written has reached the client. */
  drain(): void {
    this.congested = false;
    this.#listener?.onDrain();
  }

  write(bytes: Uint8Array): boolean {
    this.written.push(bytes);
    return false;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  end(): void {
    this.calls.push('end');
  }
  destroy(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.calls.push('destroy');
    setImmediate(() => this.#listener?.onClose());
  }
  attach(listener: TransportListener): void {
    this.#listener = listener;
  }
  replay(bytes: Uint8Array): void {
    this.#listener?.onData(bytes);
  }
}

/** A broker that keeps every transport and serves it as a line of text that comes back. */
export class EchoBroker {
  readonly counters = { connectTimeouts: 0 };
  readonly served: Served[] = [];
  open = 0;

  accept(transport: Transport): void {
    this.open++;
    this.served.push(new Served(transport, () => this.open--));
  }
}

export class Served implements TransportListener {
  readonly transport: Transport;
  readonly #onClosed: () => void;
  text = '';
  bytes = 0;
  closed = 0;

  constructor(transport: Transport, onClosed: () => void) {
    this.transport = transport;
    this.#onClosed = onClosed;
    transport.attach(this);
  }

  onData(chunk: Uint8Array): void {
    this.bytes += chunk.length;
    if (this.text.length < 1_000) this.text += Buffer.from(chunk).toString('latin1');
    this.transport.write(chunk);
  }
  onDrain(): void {
    // It writes what it gets.
  }
  onEnd(): void {
    this.transport.end();
  }
  onClose(): void {
    this.closed++;
    this.#onClosed();
  }
}

/** Lets message ports deliver. */
export async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(setImmediate);
}
