import type { ClientCertificate } from './authorizer.ts';

/** By which way a client came in. */
export type Door = 'tcp' | 'tls' | 'ws' | 'wss' | 'unix';

/** What a connection needs of a byte stream, whatever it runs on. */
export interface Transport {
  readonly door: Door;
  /** Of the client itself, where a proxy has told it. */
  readonly remoteAddress: string;
  readonly certificate: ClientCertificate | undefined;
  /**
   * Hands bytes over, in call order. Returns true when the transport no longer refers to `bytes`, so that the caller may
   * write over them; false when it keeps them until they are sent.
   */
  write(bytes: Uint8Array): boolean;
  /** Bytes handed over that the operating system has not taken yet. */
  readonly backlogBytes: number;
  /** True when the backlog is over the transport's own mark; `onDrain` tells when it is empty again. */
  readonly congested: boolean;
  /** Stops `onData` at once, until `resume`. */
  pause(): void;
  resume(): void;
  /** Sends what was written, then ends this direction. What the peer still sends is read. */
  end(): void;
  /** Ends both directions at once; unsent bytes are lost. */
  destroy(): void;
  attach(listener: TransportListener): void;
}

export interface TransportListener {
  /** The chunk belongs to the listener from now on. */
  onData(chunk: Uint8Array): void;
  onDrain(): void;
  /** The peer has ended its direction: no more data comes. */
  onEnd(): void;
  /** Both directions are over. Called once, last. */
  onClose(): void;
}
