import styles from './device-search.module.css';

const EXAMPLES = [
  ['type = "boiler" and connected = false', 'boilers that are not connected'],
  ['group under "/acme" and tags has "pilot"', 'with a tag, in a group or below'],
  ['lastSeen < -7d or not lastSeen exists', 'not connected for a week, or never'],
  ['firmware != "2.1.0" and id like "gh-*"', 'with other firmware; * is anything'],
  ['attributes.site.floor >= 2', 'by an attribute'],
  ['createdAt > -24h', 'registered in the last day'],
] as const;

/** The filter language in examples, each of which can be taken. */
export function FilterHelp({ onTake }: { readonly onTake: (example: string) => void }) {
  return (
    <section className={styles.help} aria-label="How to write a filter">
      <p>
        A word is the beginning of an id. A filter compares fields: <code>id</code> <code>name</code> <code>type</code>{' '}
        <code>group</code> <code>tags</code> <code>connected</code> <code>lastSeen</code> <code>createdAt</code>{' '}
        <code>firmware</code> <code>attributes.NAME</code>, by <code>= != &lt; &lt;= &gt; &gt;= in like under has exists</code>.
        Conditions are joined by <code>and</code>, <code>or</code>, <code>not</code> and brackets; texts stand in quotes.
      </p>
      <ul>
        {EXAMPLES.map(([example, meaning]) => (
          <li key={example}>
            <button type="button" onClick={() => onTake(example)}>
              <code>{example}</code>
            </button>
            <span>{meaning}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
