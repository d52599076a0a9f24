import type { RebuildReport } from './rebuilder.ts';

/**
 * `idle`: all that is due is archived. `working`. `failing`: the last try failed, and is repeated. `misplaced`: the objects of
 * the manifest are not where the archive is configured to be: nothing is archived, and nothing dropped. `unknown-objects`: the same, for
 * there are objects that the manifest does not know: it was lost. `rebuilding`: these are being taken over.
 */
export type ArchiveState = 'off' | 'idle' | 'working' | 'failing' | 'misplaced' | 'unknown-objects' | 'rebuilding';

export interface ArchiveStatus {
  readonly state: ArchiveState;
  readonly target: 'off' | 'disk' | 's3';
  /** For people; undefined where it is off. */
  readonly place: string | undefined;
  readonly objects: number;
  readonly bytes: number;
  readonly points: number;
  /** Hours that are over and not archived as they are now. */
  readonly backlogHours: number;
  /** How long the oldest of them is over. */
  readonly lagMs: number;
  /** Erasures that are not done. */
  readonly openErasures: number;
  /** Archived objects that are damaged or gone, or that something fails with: all else goes on without them. */
  readonly badObjects: number;
  /** Of the rebuild that is under way, or that was the last since the start of the server. */
  readonly rebuild: RebuildReport | undefined;
  /** When objects were stored last, since the start of the server. */
  readonly lastStoredAtMs: number | undefined;
  /** How often something failed since then. */
  readonly failures: number;
  /** Of the last try, while it was not repeated with success. */
  readonly lastError: { readonly code: string; readonly message: string; readonly atMs: number } | undefined;
}
