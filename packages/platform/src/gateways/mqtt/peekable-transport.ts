import type { Transport, TransportListener } from '../../broker/transport.ts';

/** A transport whose first bytes may be looked at before anybody serves it. */
export interface PeekableTransport extends Transport {
  /** A later listener takes the place of an earlier one. */
  attach(listener: TransportListener): void;
  /** Gives bytes that the earlier listener got to the later one. Called right after `attach`, so that they come first. */
  replay(bytes: Uint8Array): void;
}
