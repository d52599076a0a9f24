/** Who does something: a person, a program with a key, a device, or the server itself. */
export interface Actor {
  readonly kind: 'user' | 'api-key' | 'access-key' | 'device' | 'system';
  readonly id: string;
  /** For people. */
  readonly name: string;
  /** Where the request came from; undefined: from this server. */
  readonly remoteAddress?: string | undefined;
}

/** The server itself, by one of its parts: `provisioning`, `retention`, ... */
export function systemActor(part: string): Actor {
  return { kind: 'system', id: part, name: part };
}
