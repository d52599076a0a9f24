/** Who is signed in, and why not. */
export type SessionState =
  /** Whether the browser holds the cookie of a session is not known yet: only the server can tell. */
  | { readonly kind: 'asking' }
  /** By a key, or, where there is none, by the cookie of a session, which no script can read. */
  | { readonly kind: 'signed-in'; readonly key: string | undefined }
  | { readonly kind: 'signed-out'; readonly reason: SignedOutReason };

/** `refused`: the server does not know the key any more; `ended`: the session has ended. */
export type SignedOutReason = 'none' | 'refused' | 'ended';

const STORAGE_KEY = 'selsyn-key';

/** How this page is signed in. A key is in this tab's storage, or in the browser's when asked to stay signed in. */
export class Session {
  readonly #listeners = new Set<() => void>();
  #state: SessionState;

  constructor() {
    const key = read(sessionStorage) ?? read(localStorage);
    this.#state = key === undefined ? { kind: 'asking' } : { kind: 'signed-in', key };
  }

  readonly state = (): SessionState => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  key(): string | undefined {
    return this.#state.kind === 'signed-in' ? this.#state.key : undefined;
  }

  signIn(key: string, keep: boolean): void {
    forget();
    write(keep ? localStorage : sessionStorage, key);
    this.#set({ kind: 'signed-in', key });
  }

  /** The browser holds the cookie of a session. */
  signInByCookie(): void {
    forget();
    this.#set({ kind: 'signed-in', key: undefined });
  }

  signOut(reason: SignedOutReason): void {
    if (this.#state.kind === 'signed-out') return;
    forget();
    this.#set({ kind: 'signed-out', reason });
  }

  /** The server does not take the key, or the cookie. */
  refused(): void {
    this.signOut(this.key() === undefined ? 'ended' : 'refused');
  }

  #set(state: SessionState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}

// Storage may be blocked by the browser: the key then lives as long as the page.
function read(storage: Storage): string | undefined {
  try {
    return storage.getItem(STORAGE_KEY) ?? undefined;
  } catch {
    return undefined;
  }
}

function write(storage: Storage, key: string): void {
  try {
    storage.setItem(STORAGE_KEY, key);
  } catch (error) {
    console.warn('The key cannot be kept in this browser.', error);
  }
}

function forget(): void {
  for (const storage of [sessionStorage, localStorage]) {
    try {
      storage.removeItem(STORAGE_KEY);
    } catch (error) {
      console.warn('The browser blocks its storage.', error);
    }
  }
}
