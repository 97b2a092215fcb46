// What a text has more and less than another one, word by word.
import { diffWordsWithSpace } from "diff";
import { useMemo } from "preact/hooks";

/** Milliseconds after which two texts are too different to be worth marking. */
const PATIENCE = 250;

export function Marked({ text, from }: { text: string; from: string }) {
  const parts = useMemo(
    () => (text === from ? [] : diffWordsWithSpace(from, text, { timeout: PATIENCE })),
    [text, from],
  );
  if (!parts || parts.length === 0) return <>{text || "(empty)"}</>;
  return (
    <>
      {parts.map(({ value, added, removed }, place) =>
        added ? <ins key={place}>{value}</ins> : removed ? <del key={place}>{value}</del> : value,
      )}
    </>
  );
}
