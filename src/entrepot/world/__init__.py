"""World tables: identities, aggregation, storage and the embedded worlds."""
