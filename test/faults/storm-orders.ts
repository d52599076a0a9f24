/** What the program of the devices is told. */
export type StormOrder =
  | { readonly kind: 'connect'; readonly port: number; readonly devices: number }
  /** Counts begin anew. */
  | { readonly kind: 'await-cut' }
  | { readonly kind: 'leave' }
  | { readonly kind: 'state' };

export interface StormState {
  readonly online: number;
  /** Devices that had a message, and those that had one twice. */
  readonly heard: number;
  readonly heardTwice: number;
  readonly messages: number;
  /** CONNACKs since the counts began: with Session Present, without, Server busy, refused for another reason. */
  readonly present: number;
  readonly absent: number;
  readonly busy: number;
  readonly refused: number;
  /** CONNECTs sent and let in within one second, for each in which there were some. */
  readonly acceptedBySecond: readonly number[];
}
