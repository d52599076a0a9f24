import { useDebouncedCallback } from '@mantine/hooks';
import { useState } from 'react';

export interface Typed {
  readonly text: string;
  /** What was typed: it is committed a moment later. */
  readonly type: (text: string) => void;
  /** Commits a text at once. */
  readonly commit: (text: string) => void;
}

const SETTLE_MS = 350;

/** The text of a field that is kept in the address: it goes there a moment after it was typed, and follows a link that changes it. */
export function useTyped(inAddress: string, onCommit: (text: string) => void): Typed {
  const [text, setText] = useState(inAddress);
  const [seen, setSeen] = useState(inAddress);
  const [committed, setCommitted] = useState(inAddress);
  if (inAddress !== seen) {
    setSeen(inAddress);
    if (inAddress !== committed) {
      setCommitted(inAddress);
      setText(inAddress);
    }
  }
  const commit = (next: string) => {
    setCommitted(next.trim());
    onCommit(next.trim());
  };
  const commitSoon = useDebouncedCallback(commit, SETTLE_MS);
  return {
    text,
    type: (next) => {
      setText(next);
      commitSoon(next);
    },
    commit: (next) => {
      setText(next);
      commit(next);
    },
  };
}
