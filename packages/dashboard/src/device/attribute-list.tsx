import { useState } from 'react';
import type { Json } from '../api/json.ts';
import { attributePaths } from './attribute-paths.ts';
import styles from './overview-tab.module.css';

const SHOWN_AT_FIRST = 12;

/** The attributes of a device, each by the path that a filter takes. */
export function AttributeList({ attributes }: { readonly attributes: Json }) {
  const [all, setAll] = useState(false);
  const paths = attributePaths(attributes);
  if (paths.length === 0) return null;
  const hidden = all ? 0 : paths.length - SHOWN_AT_FIRST;
  return (
    <>
      <dl className={styles.attributes} aria-label="Attributes">
        {paths.slice(0, all ? paths.length : SHOWN_AT_FIRST).map(([path, value]) => (
          <div key={path}>
            <dt title={`attributes.${path}`}>{path}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {hidden > 0 && (
        <button type="button" className={styles.all} onClick={() => setAll(true)}>
          {hidden} more
        </button>
      )}
    </>
  );
}
