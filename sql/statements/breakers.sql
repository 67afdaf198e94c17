-- What the fleet leaves alone: a model, or (model '') all of a credential.
SELECT provider, credential, model FROM breakers
