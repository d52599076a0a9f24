/** What a trace is to show: at least one of the two. */
export interface TraceRequest {
  readonly clientId: string | undefined;
  readonly topicFilter: string | undefined;
  /** Whether the first bytes of payloads are shown. */
  readonly payload: boolean;
}

/** One packet, or the end of a connection; its fields are plain JSON. Absent ones: the packet has none. */
export interface TraceEventJson {
  readonly atMs: number;
  readonly thread: string;
  readonly direction: 'in' | 'out' | 'end';
  readonly clientId: string;
  /** `connect` … `auth`; `closed` with `end`. */
  readonly packet: string;
  readonly sizeBytes?: number;
  readonly packetId?: number;
  readonly topic?: string;
  readonly qos?: number;
  readonly retain?: boolean;
  readonly dup?: boolean;
  readonly filters?: readonly string[];
  readonly codes?: readonly string[];
  readonly note?: string;
  readonly payloadBase64?: string;
  readonly payloadBytes?: number;
}

export interface TraceBatchJson {
  readonly events: readonly TraceEventJson[];
  /** Events that were lost before these. */
  readonly dropped: number;
}

/** Sees the packets of all gateway threads. */
export interface TraceSource {
  /**
   * Begins a trace; the returned function ends it.
   * @throws SelsynError `request.invalid` for what is no topic filter
   */
  open(request: TraceRequest, onBatch: (batch: TraceBatchJson) => void): () => void;
}
