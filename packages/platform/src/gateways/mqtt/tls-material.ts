/** What TLS needs, all of it in PEM; goes from main to the gateway threads as it is. */
export interface TlsMaterial {
  /** The server's certificate, and those between it and its root. */
  readonly certificate: string;
  readonly privateKey: string;
  /** Authorities whose client certificates count as verified. */
  readonly clientAuthorities: readonly string[];
  /** 48 bytes, the same in all threads, so that a client resumes its session in whichever thread takes it. */
  readonly ticketKeys: Uint8Array;
}

export type ClientCertificates = 'none' | 'optional' | 'required';
