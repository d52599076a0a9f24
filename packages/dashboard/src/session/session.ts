/** Who is signed in, and why not. */
export type SessionState =
  | { readonly kind: 'signed-in'; readonly key: string }
  | { readonly kind: 'signed-out'; readonly reason: 'none' | 'refused' };

const STORAGE_KEY = 'selsyn-key';

/** The API key of this page: in this tab's storage, or in the browser's when asked to stay signed in. */
export class Session {
  readonly #listeners = new Set<() => void>();
  #state: SessionState;

  constructor() {
    const key = read(sessionStorage) ?? read(localStorage);
    this.#state = key === undefined ? { kind: 'signed-out', reason: 'none' } : { kind: 'signed-in', key };
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

  signOut(reason: 'none' | 'refused'): void {
    if (this.#state.kind === 'signed-out') return;
    forget();
    this.#set({ kind: 'signed-out', reason });
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
